/**
 * Probable mistakes about `hashBy`, `sticky.by` and `balanceFactor`: a strategy that does not look at them, and TLVs
 * or names that no client can have.
 *
 * Place: a part of warnings.ts, with the same invariants.
 */
import { STRATEGY_NAMES } from '../../../strategies/index.ts';
import { keyByOf } from '../key-by.ts';
import type { ConfigIssue } from '../report/issue.ts';
import type { Config, UpstreamConfig } from '../schema/schema.ts';
import { targetsOf } from './targets.ts';

export function keysOfClients(
  upstream: UpstreamConfig,
  path: ConfigIssue['path'],
  listeners: Config['listeners'],
): ConfigIssue[] {
  return [...withoutHash(upstream, path), ...withoutWhatTheyNeed(upstream, path, listeners)];
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

function withoutWhatTheyNeed(
  { name, hashBy, sticky, connectWhen }: UpstreamConfig,
  path: ConfigIssue['path'],
  listeners: Config['listeners'],
): ConfigIssue[] {
  const leading = listeners.filter(listener => targetsOf(listener).includes(name));
  const takesHeaders = leading.some(
    ({ acceptProxy }) => acceptProxy !== undefined && acceptProxy.from.length > 0,
  );
  const looks = leading.some(
    ({ sni, tls, upstream }) =>
      sni !== undefined || tls !== undefined || (connectWhen.when === 'tlsHello' && upstream === name),
  );
  const keys = [
    { at: ['hashBy'], text: hashBy },
    { at: ['sticky', 'by'], text: sticky?.by },
  ];
  return keys.flatMap(({ at, text }): ConfigIssue[] => {
    const by = keyByOf(text)?.by;
    const issue = { path: [...path, ...at], kind: 'value' as const, got: text ?? '' };
    if (by === 'proxyTlv' && !takesHeaders) {
      const message = `no listener of upstream ${name} takes PROXY protocol headers (acceptProxy): clients have no TLVs, and count by their addresses`;
      return [{ ...issue, expected: 'acceptProxy at a listener of the upstream', message }];
    }
    if (by === 'sni' && !looks) {
      const message = `no listener of upstream ${name} reads the names that TLS clients send (sni, tls, connectWhen: tlsHello): clients count by their addresses`;
      return [
        { ...issue, expected: 'sni or tls at a listener of the upstream, or connectWhen: tlsHello', message },
      ];
    }
    return [];
  });
}
