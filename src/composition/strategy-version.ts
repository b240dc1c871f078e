/**
 * An upstream together with the version that its strategy has now.
 *
 * Place: a part of planes.ts, with each configuration.
 */
import { loadStrategy, strategyVersion } from '../../strategies/load-strategy.ts';
import { ConfigError } from '../config/report/config-error.ts';
import type { UpstreamConfig } from '../config/schema/schema.ts';
import type { PlannedUpstream } from '../control/upstream/upstream-settings.ts';
import { wordsOf } from '../errors.ts';

/** Loads the strategy here first, so that a failure to load it is reported before anything changes. */
export async function withStrategyVersion(
  upstream: UpstreamConfig,
  baseDir: string,
): Promise<PlannedUpstream> {
  try {
    const version = await strategyVersion(upstream.strategy, baseDir);
    await loadStrategy(version, baseDir);
    return { ...upstream, strategyVersion: version };
  } catch (error) {
    const message = wordsOf(error);
    const path = ['upstreams', upstream.name, 'strategy'];
    const issue = { path, kind: 'value', expected: 'a strategy', got: upstream.strategy, message } as const;
    throw new ConfigError([issue], 'LB4_STRATEGY_INVALID', error);
  }
}
