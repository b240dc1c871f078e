/** The keys that limit clients: what they mean, and what is refused. */
import t from 'tap';
import { parseConfig } from '../../../src/config/source/parse.ts';
import { effectiveOf } from '../../../src/config/report/effective.ts';
import { problems } from './small-inputs.ts';

const withListener = (keys: object): unknown => ({
  listeners: [{ name: 'web', bind: [':8080'], upstream: 'app', ...keys }],
  upstreams: [{ name: 'app', backends: ['10.0.0.1:80'] }],
});

function listenerOf(keys: object) {
  const parsed = parseConfig(withListener(keys));
  if (!parsed.ok) throw new Error(problems(withListener(keys)));
  return parsed.config.listeners[0]!;
}

void t.test('limits of each client, and of each network besides', t => {
  const { perClient, perNetwork } = listenerOf({
    limits: { perClient: { sessions: 5 }, perNetwork: { rate: '5/m', burst: 2, ipv4Prefix: 16 } },
  }).limits;
  t.same(perClient, { sessions: 5, ipv4Prefix: 32, ipv6Prefix: 64, clients: 65_536 });
  t.same(perNetwork, { rate: '5/m', burst: 2, ipv4Prefix: 16, ipv6Prefix: 48, clients: 65_536 });
  t.same(listenerOf({}).limits, {});
  t.end();
});

void t.test('the jitter of a lifetime is a percentage', t => {
  const jitterOf = (lifetimeJitter: unknown) =>
    listenerOf({ timeouts: { lifetimeJitter } }).timeouts.lifetimeJitter;
  t.same(['0%', '7%', '100%', 25].map(jitterOf), [0, 7, 100, 25]);
  t.equal(listenerOf({}).timeouts.lifetimeJitter, 0);
  t.end();
});

void t.test('what is in force parses as the same', t => {
  const listener = listenerOf({
    limits: { rate: '100/s', burst: 7, perClient: { sessions: 5 }, perNetwork: { rate: '5/m' } },
    timeouts: { lifetimeJitter: '9%' },
  });
  const shown = effectiveOf({ listeners: [listener] });
  const [again] = (shown['listeners'] ?? []) as object[];
  t.same(listenerOf({ ...again }), listener);
  t.end();
});

const RATE = 'a rate such as 50/s, 300/m or 1000/h';
for (const [keys, problem] of [
  [{ limits: { rate: '5' } }, `limits.rate: expected ${RATE}, got "5"`],
  [{ limits: { rate: '0/s' } }, `limits.rate: expected ${RATE}, got "0/s"`],
  [{ limits: { burst: 5 } }, 'limits.burst: expected no burst without a rate, got 5'],
  [{ limits: { perClient: {} } }, 'limits.perClient: expected sessions or a rate, or both'],
  [
    { limits: { perClient: { burst: 5, sessions: 1 } } },
    'limits.perClient.burst: expected no burst without a rate',
  ],
  [
    { limits: { perClient: { sessions: 1, ipv4Prefix: 33 } } },
    'limits.perClient.ipv4Prefix: expected an integer from 1 to 32',
  ],
  [
    { limits: { perClient: 5 } },
    'limits.perClient: expected a mapping with keys such as sessions, rate, burst, ipv4Prefix, got 5',
  ],
  [
    { timeouts: { lifetimeJitter: '101%' } },
    'timeouts.lifetimeJitter: expected a percentage from 0% to 100%',
  ],
  [{ timeouts: { lifetimeJitter: '5' } }, 'timeouts.lifetimeJitter: expected a percentage from 0% to 100%'],
] as const)
  void t.test(`refused: ${JSON.stringify(keys)}`, t => {
    const found = problems(withListener(keys));
    t.equal(found.slice(0, `listeners[0].${problem}`.length), `listeners[0].${problem}`);
    t.end();
  });
