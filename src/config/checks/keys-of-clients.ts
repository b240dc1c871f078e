/**
 * Probable mistakes about `hashBy`, `sticky.by` and `balanceFactor`: a strategy that does not look at them, and TLVs
 * that no client can have.
 *
 * Place: a part of warnings.ts, with the same invariants.
 */
import { STRATEGY_NAMES } from '../../../strategies/index.ts';
import { keyByOf } from '../key-by.ts';
import type { ConfigIssue } from '../report/issue.ts';
import type { Config, UpstreamConfig } from '../schema/schema.ts';

export function keysOfClients(
  upstream: UpstreamConfig,
  path: ConfigIssue['path'],
  listeners: Config['listeners'],
): ConfigIssue[] {
  return [...withoutHash(upstream, path), ...withoutHeaders(upstream, path, listeners)];
}

function withoutHash(
  { strategy, hashBy, balanceFactor }: UpstreamConfig,
  path: ConfigIssue['path'],
): ConfigIssue[] {
  if (strategy === 'iphash' || !STRATEGY_NAMES.some(name => name === strategy)) return [];
  const keys = [
    ...(keyByOf(hashBy) === undefined ? [] : ['hashBy']),
    ...(balanceFactor === 'off' ? [] : ['balanceFactor']),
  ];
  return keys.map(key => ({
    path: [...path, key],
    kind: 'value',
    expected: 'strategy: iphash',
    got: strategy,
    message: `strategy ${strategy} does not look at ${key}; iphash does`,
  }));
}

function withoutHeaders(
  { name, hashBy, sticky }: UpstreamConfig,
  path: ConfigIssue['path'],
  listeners: Config['listeners'],
): ConfigIssue[] {
  const takesHeaders = listeners.some(
    ({ upstream, acceptProxy }) =>
      upstream === name && acceptProxy !== undefined && acceptProxy.from.length > 0,
  );
  if (takesHeaders) return [];
  const keys = [
    { at: ['hashBy'], text: hashBy },
    { at: ['sticky', 'by'], text: sticky?.by },
  ];
  return keys.flatMap(({ at, text = '' }): ConfigIssue[] =>
    keyByOf(text === '' ? undefined : text)?.by !== 'proxyTlv'
      ? []
      : [
          {
            path: [...path, ...at],
            kind: 'value',
            expected: 'acceptProxy at a listener of the upstream',
            got: text,
            message: `no listener of upstream ${name} takes PROXY protocol headers (acceptProxy): clients have no TLVs, and count by their addresses`,
          },
        ],
  );
}
