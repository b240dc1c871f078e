/**
 * The options of `run` in the environment: `LB4_HEALTH_INTERVAL` for `--health-interval`.
 *
 * Place: `cli/program.ts` lays the typed options over those found here; flags.ts names a variable in its messages.
 * Invariants:
 * - An empty variable is unset, because `LB4_REDIS: ${REDIS_URL:-}` in a Compose file makes one.
 * - No value is ever part of a message.
 */
import type { Environment } from './interpolate.ts';
import { nearest } from '../report/nearest.ts';

const PREFIX = 'LB4_';
const NAME = /^LB4_\w+$/;

/**
 * Variables that Kubernetes and Docker set for a service called `lb4` or `lb4-…`: none of them is for lb4.
 * `LB4_PORT=8080` is not one of them: they write `tcp://10.0.0.1:8080`.
 */
const SERVICE_LINK =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)$/;
const SERVICE_PORT = { name: /_PORT$/, value: /^(?:tcp|udp|sctp):\/\// };
/** Variables of the test suite, and of the search for a defect (docs/operations.md). */
const TESTS = /^LB4_TEST_/;

/** A variable with lb4's prefix that belongs to no option. */
export interface UnknownVariable {
  readonly name: string;
  /** The variable that was probably meant. */
  readonly meant: string | undefined;
}

/** The variable of an option: `LB4_HEALTH_INTERVAL` for `health-interval`. */
export function variableOf(option: string): string {
  return `${PREFIX}${option.replaceAll('-', '_').toUpperCase()}`;
}

/** The options that the environment sets, by their long names without dashes; white space around a value is dropped. */
export function optionsFromEnvironment(env: Environment, options: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const option of options) {
    const value = env[variableOf(option)]?.trim() ?? '';
    if (value !== '') found.set(option, value);
  }
  return found;
}

/**
 * Variables that look like options and are none; those in `used`, which a configuration file refers to, are left out.
 */
export function unknownVariables(
  env: Environment,
  options: readonly string[],
  used: ReadonlySet<string> = new Set(),
): UnknownVariable[] {
  const known = options.map(variableOf);
  const isKnown = (name: string): boolean => known.includes(name) || used.has(name);
  return Object.entries(env)
    .filter(([name, value = '']) => NAME.test(name) && !isKnown(name) && !isForOthers(name, value))
    .map(([name]) => ({ name, meant: nearest(name, known) }));
}

function isForOthers(name: string, value: string): boolean {
  if (TESTS.test(name) || SERVICE_LINK.test(name)) return true;
  return SERVICE_PORT.name.test(name) && SERVICE_PORT.value.test(value);
}
