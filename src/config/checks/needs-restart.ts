/**
 * The parts of a configuration that cannot change while it runs.
 *
 * Place: asked by `load-balancer.ts` before it takes over another configuration, and by each reload of the command.
 */
import { diffConfigs } from '../diff.ts';
import { ConfigError } from '../report/config-error.ts';
import type { ConfigIssue } from '../report/issue.ts';
import type { Config } from '../schema/schema.ts';

type Key = keyof Config;

const OF_BALANCER: readonly Key[] = ['engine', 'workers', 'workerStallTimeout'];
/** With what the command makes of a configuration besides: its admin API. */
const OF_COMMAND: readonly Key[] = [...OF_BALANCER, 'name', 'admin'];

/** One issue for each key that differs and must not, for the command. */
export function changesOfFixed(before: Config, after: Config): ConfigIssue[] {
  return fixedIn(OF_COMMAND, before, after);
}

/** Throws LB4_NEEDS_RESTART, naming the keys. */
export function expectSame(before: Config, after: Config): void {
  const issues = fixedIn(OF_BALANCER, before, after);
  if (issues.length > 0) throw new ConfigError(issues, 'LB4_NEEDS_RESTART');
}

function fixedIn(keys: readonly Key[], before: Config, after: Config): ConfigIssue[] {
  const only = (config: Config): Partial<Config> => Object.fromEntries(keys.map(key => [key, config[key]]));
  return diffConfigs(only(before), only(after)).map(({ path, from = 'not set', to = 'not set' }) => ({
    ...{ path, kind: 'value', expected: from, got: to },
    message: `${from} → ${to} takes an upgrade or a restart: it cannot change while lb4 runs`,
  }));
}
