/**
 * `npm run bench -- access`: nanoseconds per look-up of a client in the access list of a listener, and how long building
 * the list takes.
 *
 * Place: a program of its own beside the scenarios: it measures no balancer.
 * How: clients at random, so that no jump of the search can be foreseen, in short batches of which the quickest counts.
 */
import { parseArgs } from 'node:util';
import { buildAccess } from '../../src/control/access/build-access.ts';
import { DECISION, decisionFor } from '../../src/model/access-list.ts';
import { NetworkWords } from '../../src/model/network-words.ts';
import { ipKey } from '../../src/shared-memory/ip-key.ts';
import { numberIn } from '../../src/shared-memory/range-table.ts';
import { seeded } from '../../src/sim/seeded.ts';

export const USAGE = `usage: npm run bench -- access [--networks N]
Prints nanoseconds per look-up among N networks (default: 50000), and the longest step of building the list.
`;

export interface AccessOptions {
  readonly networks: number;
}

/** Undefined when help was asked for. Throws an Error whose message names what is wrong. */
export function parseAccessOptions(args: readonly string[]): AccessOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean', default: false }, networks: { type: 'string', default: '50000' } },
  });
  const networks = Number(values.networks);
  if (!Number.isInteger(networks) || networks < 1)
    throw new Error('--networks must be a number of at least 1');
  return values.help ? undefined : { networks };
}

const CLIENTS = 4_096;
const BATCH = 10_000;
const SEED = 1;
const WORDS = 4;

/** Markdown. `batches`: of look-ups, for each family. */
export function measureAccess(now: () => number, { networks: count }: AccessOptions, batches = 200): string {
  const random = seeded(SEED);
  const number = (below: number): number => Math.floor(random() * below);
  const group = (): string => number(65_536).toString(16);
  const families = {
    IPv4: { bits: 16, client: () => `${1 + number(223)}.${number(256)}.${number(256)}.${number(256)}` },
    IPv6: { bits: 32, client: () => `2${group().slice(0, 3)}:${group()}:${group()}::${group()}` },
  };
  const rows = Object.entries(families).map(([name, { bits, client }]) => {
    const networks = new NetworkWords();
    while (networks.length < count) networks.add(`${client()}/${bits + number(bits + 1)}`);
    const work = buildAccess(
      [{ decision: DECISION.allow, networks: [networks], isAll: false, isUnix: false }],
      DECISION.reset,
    );
    const [began, steps] = [now(), [] as number[]];
    let built = work.next();
    for (let last = began; built.done !== true; built = work.next()) steps.push(-last + (last = now()));
    const buildMs = now() - began;
    const plan = built.value;
    const clients = Array.from({ length: CLIENTS }, client);
    const keys = new Uint32Array(WORDS * CLIENTS);
    for (const [i, address] of clients.entries())
      ipKey(address, new Int32Array(keys.buffer, 4 * WORDS * i, WORDS));
    const [table, offset] = name === 'IPv4' ? [plan.ipv4, WORDS - 1] : [plan.ipv6, 0];
    let allowed = 0;
    const quickest = (look: (client: number) => number): string => {
      let best = Infinity;
      for (let batch = 0; batch < batches; batch++) {
        const start = now();
        for (let i = 0; i < BATCH; i++) if (look((batch + i) % CLIENTS) === DECISION.allow) allowed += 1;
        best = Math.min(best, ((now() - start) * 1e6) / BATCH);
      }
      return best.toFixed(0);
    };
    const alone = quickest(client => numberIn(table, keys, WORDS * client + offset));
    const withText = quickest(client => decisionFor(plan, clients[client] ?? ''));
    const share = (100 * allowed) / (2 * batches * BATCH);
    const cells = [alone, withText, buildMs.toFixed(0), Math.max(0, ...steps).toFixed(1), share.toFixed(0)];
    return `| ${name} | ${cells.join(' | ')} |`;
  });
  return [
    `| ${count} networks | ns per look-up | with the text of the address | ms to build | ms of the longest step | % allowed |`,
    '|---|---:|---:|---:|---:|---:|',
    ...rows,
  ].join('\n');
}
