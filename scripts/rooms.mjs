/**
 * The rooms of this house and which way imports run: an allow-list. What is not named here may be imported by nobody.
 *
 * Place: eslint.config.js makes a rule of it, docs/architecture.md shows it as a table, and a test holds table, list and
 * code together. `support/` and `errors.ts` are leaves that every room of `src/` may import, so no list names them.
 * Order: from the top down; a room imports only rooms below it.
 */

/** @type {Record<string, readonly string[]>} what each room may import */
export const ROOMS = {
  bin: ['cli'],
  cli: ['admin', 'load-balancer', 'composition', 'observe', 'config', 'model', 'linux'],
  admin: ['model', 'observe', 'linux'],
  index: ['load-balancer', 'config', 'model'],
  register: [],
  log: ['load-balancer', 'observe', 'config', 'model', 'linux'],
  'load-balancer': ['composition', 'control', 'host', 'config', 'model', 'names'],
  composition: ['control', 'host', 'config', 'model', 'names', 'strategies'],
  sim: ['control', 'data', 'config', 'model', 'engine contract', 'shared-memory', 'strategies'],
  observe: ['config', 'model'],
  host: ['data', 'engine', 'engine contract', 'linux', 'model', 'shared-memory'],
  control: ['config', 'model', 'engine contract', 'shared-memory', 'codec', 'names'],
  data: ['model', 'engine contract', 'shared-memory', 'codec', 'strategies', 'pool'],
  engine: ['engine contract', 'linux', 'codec'],
  config: ['model', 'names', 'strategies'],
  model: ['engine contract', 'shared-memory'],
  codec: ['engine contract'],
  'engine contract': [],
  linux: [],
  'shared-memory': [],
  names: [],
  strategies: [],
  pool: [],
  errors: [],
  support: [],
};

/** Leaves of `src/`: importing them needs no entry. They import nothing but each other. */
const LEAVES = ['support', 'errors'];
/** Rooms that stand by themselves and import nothing from `src/`. */
const OUTSIDE = ['strategies', 'pool'];

/** The contract of the engines, and what follows from it for those who connect: no engine is named in it. */
const ENGINE_CONTRACT = ['engine.ts', 'tls.ts', 'connect-failure.ts', 'address-walk.ts'];

/**
 * The room of a file, by its path from the root; undefined outside of the house (tests, benchmarks, scripts, packages).
 * @param {string} path with `/`
 */
export function roomOf(path) {
  const [top, second, third] = path.split('/');
  if (top === 'bin' || OUTSIDE.includes(top)) return top;
  if (top !== 'src') return undefined;
  if (second.endsWith('.ts')) return second.slice(0, -'.ts'.length);
  if (second === 'engine' && ENGINE_CONTRACT.includes(third)) return 'engine contract';
  return second;
}

/**
 * Why a file may not import another one; undefined where it may.
 * @param {string} from path from the root, as `to`
 * @param {string} to
 */
export function whyNot(from, to) {
  const [room, other] = [roomOf(from), roomOf(to)];
  if (room === undefined || room === other) return undefined;
  const allowed = ROOMS[room];
  if (allowed === undefined) return `no rule in scripts/rooms.mjs says what ${room} may import`;
  if (other === undefined) return `${room} is shipped, and ${to} is not`;
  if (LEAVES.includes(other) && !OUTSIDE.includes(room)) return undefined;
  if (allowed.includes(other)) return undefined;
  return `${room} may not import ${other} (scripts/rooms.mjs)`;
}
