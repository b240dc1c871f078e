/**
 * Lays command-line flags, or their LB4_… environment variables, over a configuration.
 *
 * Place: load.ts, between the file and the checks. The result is as unchecked as the file was; parse.ts finds its
 * problems, and `origins` lets load.ts name the flag.
 * Invariants:
 * - `base` is not changed.
 * - A flag whose target is not the only one of its kind is an issue, never a guess.
 */
import { field } from '../schema/field.ts';
import { variableOf } from './environment.ts';
import { readHealthFlag, withoutFormerType, type WrongHealthFlag } from './health-flag.ts';
import { describeValue, formatPath, type LocatedIssue, type Path } from '../report/issue.ts';

/** The flags of `run` that set a part of the configuration, as given: unchecked text. */
export interface RunFlags {
  /** Repeated flags add up; each may hold several values, with commas between them. */
  readonly backends?: string | readonly string[] | undefined;
  readonly strategy?: string | undefined;
  readonly listen?: string | readonly string[] | undefined;
  readonly health?: string | undefined;
  readonly healthInterval?: string | undefined;
  readonly connectTimeout?: string | undefined;
  readonly idleTimeout?: string | undefined;
  readonly drainTimeout?: string | undefined;
  readonly poolWarm?: string | undefined;
  readonly maxSessions?: string | undefined;
  readonly workers?: string | undefined;
  readonly engine?: string | undefined;
  readonly redis?: string | undefined;
  readonly name?: string | undefined;
  readonly admin?: string | undefined;
  readonly adminTokenFile?: string | undefined;
  readonly adminSocket?: string | undefined;
  readonly logLevel?: string | undefined;
  readonly logFormat?: string | undefined;
  readonly accessLog?: boolean | string | undefined;
  readonly sendProxy?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly acceptProxy?: string | undefined;
}

export type FlagName = keyof RunFlags;
export type FlagSource = 'flag' | 'environment';

export interface Overlay {
  readonly input: unknown;
  /** The option that set, or would have set, the value at a path and below. */
  readonly origins: readonly { readonly path: Path; readonly option: string }[];
  readonly issues: readonly LocatedIssue[];
}

/** The listener and the upstream that flags create by themselves. */
export const DEFAULT_NAME = 'default';
export const DEFAULT_LISTEN = '127.0.0.1:8080';

/** The target of each flag: in the only upstream, in the only listener, or at the top. */
const TARGETS: Readonly<Record<FlagName, Path>> = {
  backends: ['upstreams', 0, 'backends'],
  strategy: ['upstreams', 0, 'strategy'],
  health: ['upstreams', 0, 'health'],
  healthInterval: ['upstreams', 0, 'health', 'interval'],
  connectTimeout: ['upstreams', 0, 'connect', 'timeout'],
  poolWarm: ['upstreams', 0, 'pool', 'warm'],
  listen: ['listeners', 0, 'bind'],
  idleTimeout: ['listeners', 0, 'timeouts', 'idle'],
  drainTimeout: ['drainTimeout'],
  maxSessions: ['limits', 'maxSessions'],
  workers: ['workers'],
  engine: ['engine'],
  redis: ['redis', 'url'],
  name: ['name'],
  admin: ['admin', 'bind'],
  adminTokenFile: ['admin', 'tokenFile'],
  adminSocket: ['admin', 'socket'],
  logLevel: ['log', 'level'],
  logFormat: ['log', 'format'],
  accessLog: ['log', 'access'],
  sendProxy: ['upstreams', 0, 'sendProxy'],
  acceptProxy: ['listeners', 0, 'acceptProxy', 'from'],
  tlsCert: ['listeners', 0, 'tls', 'cert'],
  tlsKey: ['listeners', 0, 'tls', 'key'],
};

/**
 * The configuration that `flags` and `base` (a file's data) make together. Without a file there is one listener
 * and one upstream, both named `default`; a file that leaves one of the two out is completed in the same way by
 * `--listen` or `--backends`.
 */
export function configFromFlags(
  flags: RunFlags,
  base?: unknown,
  sourceOf: (flag: FlagName) => FlagSource = () => 'flag',
): Overlay {
  let input = completed(flags, base);
  const origins: Overlay['origins'][number][] = [];
  const issues: LocatedIssue[] = [];
  // TypeScript types the keys of Object.entries as strings; TARGETS has exactly these.
  for (const [flag, path] of Object.entries(TARGETS) as [FlagName, Path][]) {
    const given = flags[flag];
    const option = optionName(flag, sourceOf(flag));
    const neededBackends = flag === 'backends' && base === undefined;
    if (given === undefined && !neededBackends) continue;
    const targets = path[1] === 0 ? field(input, String(path[0])) : undefined;
    if (Array.isArray(targets) && targets.length > 1) {
      issues.push(severalIssue(option, path, targets.length));
      continue;
    }
    if (flag === 'health') {
      const health = readHealthFlag(String(given));
      if (!health.ok) {
        issues.push(healthIssue(option, String(given), health));
        continue;
      }
      const before = path.reduce<unknown>((inner, part) => field(inner, String(part)), input);
      if (isMapping(before)) input = placed(input, path, withoutFormerType(before, health.keys));
      for (const [key, value] of Object.entries(health.keys)) {
        origins.push({ path: [...path, key], option });
        input = placed(input, [...path, key], value);
      }
    } else {
      origins.push({ path, option });
      if (given === undefined) continue;
      const value = valueOf(flag, given);
      // A file that says more about the access log has it on already.
      const isOn = flag === 'accessLog' && value === true && isMapping(field(field(input, 'log'), 'access'));
      if (!isOn) input = placed(input, path, value);
    }
  }
  return { input, origins, issues };
}

/** `healthInterval` as people type it: `--health-interval`, or `LB4_HEALTH_INTERVAL`. */
export function optionName(flag: FlagName, source: FlagSource): string {
  const words = flag.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
  return source === 'flag' ? `--${words}` : variableOf(words);
}

function valueOf(flag: FlagName, given: string | boolean | readonly string[]): unknown {
  if (flag === 'backends' || flag === 'listen') {
    return [given].flat().flatMap(each =>
      String(each)
        .split(',')
        .map(entry => entry.trim()),
    );
  }
  if (typeof given !== 'string') return given;
  if (flag === 'acceptProxy')
    return yesOrNo(given) === false ? [] : given.split(',').map(entry => entry.trim());
  // A command line has only text; text that is no number and no yes or no is left for the checks to refuse.
  const isNumber = flag === 'poolWarm' || flag === 'maxSessions' || flag === 'workers';
  if (isNumber) return /^-?\d{1,15}$/.test(given) ? Number(given) : given;
  if (flag === 'accessLog') return yesOrNo(given) ?? given;
  if (flag === 'sendProxy') return yesOrNo(given) === false ? 'off' : given;
  return given;
}

const YES_OR_NO: ReadonlyMap<string, boolean> = new Map([
  ...['1', 'true', 'yes', 'on'].map(word => [word, true] as const),
  ...['0', 'false', 'no', 'off'].map(word => [word, false] as const),
]);

/** What a word in the environment means; undefined: neither. */
export function yesOrNo(word: string): boolean | undefined {
  return YES_OR_NO.get(word.toLowerCase());
}

/** `base` with the listener and the upstream that the flags refer to. */
function completed(flags: RunFlags, base: unknown): unknown {
  if (base !== undefined && !isMapping(base)) return base;
  const { listeners, upstreams } = base ?? {};
  const hasNeither = listeners === undefined && upstreams === undefined;
  const result: Record<string, unknown> = { ...base };
  if (listeners === undefined && (flags.listen !== undefined || (hasNeither && needsNoFile(flags, base)))) {
    const target = onlyElement(upstreams, 'name') ?? DEFAULT_NAME;
    result['listeners'] = [{ name: DEFAULT_NAME, bind: [DEFAULT_LISTEN], upstream: target }];
  }
  if (upstreams === undefined && needsNoFile(flags, base)) {
    result['upstreams'] = [{ name: onlyElement(listeners, 'upstream') ?? DEFAULT_NAME }];
  }
  return result;
}

function needsNoFile(flags: RunFlags, base: unknown): boolean {
  return base === undefined || flags.backends !== undefined;
}

function onlyElement(list: unknown, key: string): string | undefined {
  if (!Array.isArray(list) || list.length !== 1) return undefined;
  const value = field(list[0], key);
  return typeof value === 'string' ? value : undefined;
}

function severalIssue(option: string, path: Path, count: number): LocatedIssue {
  const expected = `a configuration with only one ${path[0] === 'upstreams' ? 'upstream' : 'listener'}`;
  const got = String(count);
  return {
    path,
    kind: 'value',
    expected,
    got,
    message: `expected ${expected}, got ${got}; set ${formatPath(path.slice(2))} in the file instead`,
    place: { option },
  };
}

function healthIssue(option: string, given: string, { expected, suggestion }: WrongHealthFlag): LocatedIssue {
  const got = describeValue(given);
  const hint = suggestion === undefined ? '' : `; did you mean "${suggestion}"?`;
  return {
    path: TARGETS.health,
    kind: 'value',
    expected,
    got,
    ...(suggestion === undefined ? {} : { suggestion }),
    message: `expected ${expected}, got ${got}${hint}`,
    place: { option },
  };
}

/**
 * A copy of `container` with `value` at `path`; unchanged when the path leads through something other than a mapping.
 */
function placed(container: unknown, path: Path, value: unknown): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return value;
  if (typeof part === 'number') {
    if (!Array.isArray(container)) return container;
    return container.map((element: unknown, index) =>
      index === part ? placed(element, rest, value) : element,
    );
  }
  // `health: off` is short for a mapping, and stays off when only the interval is given.
  const isHealthOff =
    (part === 'type' || part === 'interval') && (container === 'off' || container === false);
  const mapping = isHealthOff ? { type: 'off' } : container === undefined ? {} : container;
  return isMapping(mapping) ? { ...mapping, [part]: placed(mapping[part], rest, value) } : container;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
