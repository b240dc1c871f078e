/** The keys that limit bandwidth: what they mean, what is refused, and how they are shown. */
import t from 'tap';
import { diffConfigs } from '../../../src/config/diff.ts';
import { effectiveOf } from '../../../src/config/report/effective.ts';
import { parseConfig } from '../../../src/config/source/parse.ts';
import { problems } from './small-inputs.ts';

const inputOf = (limits: unknown): unknown => ({
  listeners: [{ name: 'web', bind: [':8080'], upstream: 'app', limits }],
  upstreams: [{ name: 'app', backends: ['10.0.0.1:80'] }],
});

function parsed(limits: unknown) {
  const result = parseConfig(inputOf(limits));
  if (!result.ok) throw new Error(problems(inputOf(limits)));
  return result.config;
}

void t.test('one value is that of each direction', t => {
  const { limits } = parsed({ bandwidth: '10MiB/s', perSession: { bandwidth: '1MB/s' } }).listeners[0]!;
  t.same(limits, {
    bandwidth: { fromClient: 10_485_760, fromBackend: 10_485_760 },
    perSession: { bandwidth: { fromClient: 1_000_000, fromBackend: 1_000_000 } },
  });
  t.end();
});

void t.test('a mapping limits the directions that it names', t => {
  const { limits } = parsed({ bandwidth: { fromClient: '1KiB/s' } }).listeners[0]!;
  t.same(limits, { bandwidth: { fromClient: 1024 } });
  t.same(parsed({}).listeners[0]!.limits, {}, 'nothing is limited by default');
  t.end();
});

void t.test('what is shown is text, and parsed it is the same', t => {
  const config = parsed({ bandwidth: { fromBackend: '3MB/s' }, perSession: { bandwidth: '1MiB/s' } });
  t.match(effectiveOf(config), {
    listeners: [
      {
        limits: {
          bandwidth: { fromBackend: '3MB/s' },
          perSession: { bandwidth: { fromClient: '1MiB/s', fromBackend: '1MiB/s' } },
        },
      },
    ],
  });
  t.same(parseConfig(effectiveOf(config)), { ok: true, config });
  t.end();
});

void t.test('a change is named with both values', t => {
  const texts = diffConfigs(
    parsed({ bandwidth: { fromClient: '1MiB/s' } }),
    parsed({ bandwidth: '2MiB/s' }),
  ).map(({ text }) => text);
  t.same(texts, [
    'listener web: limits.bandwidth.fromClient 1MiB/s → 2MiB/s',
    'listener web: limits.bandwidth.fromBackend not set → 2MiB/s',
  ]);
  t.end();
});

const FORM = 'a bandwidth such as 10MiB/s or 500kB/s';
const RANGE = 'a bandwidth from 1KiB/s to 100GiB/s';
const EITHER = `${FORM}, or a mapping such as { fromClient: 1MiB/s, fromBackend: 10MiB/s }`;
const REFUSED: readonly (readonly [limits: unknown, problem: string])[] = [
  [{ bandwidth: '10Mbit/s' }, `limits.bandwidth: expected ${FORM}, got "10Mbit/s"`],
  [{ bandwidth: '10MiB' }, `limits.bandwidth: expected ${FORM}, got "10MiB"`],
  [{ bandwidth: 10_000_000 }, `limits.bandwidth: expected ${EITHER}, got 10000000`],
  [{ bandwidth: '1023B/s' }, `limits.bandwidth: expected ${RANGE}, got "1023B/s"`],
  [{ bandwidth: '101GiB/s' }, `limits.bandwidth: expected ${RANGE}, got "101GiB/s"`],
  [{ bandwidth: '0B/s' }, `limits.bandwidth: expected ${RANGE}, got "0B/s"`],
  [{ bandwidth: {} }, `limits.bandwidth: expected fromClient or fromBackend, or both, got a mapping`],
  [{ bandwidth: { fromClient: '5s' } }, `limits.bandwidth.fromClient: expected ${FORM}, got "5s"`],
  [{ perSession: { bandwidth: 'fast' } }, `limits.perSession.bandwidth: expected ${FORM}, got "fast"`],
];
for (const [limits, problem] of REFUSED)
  void t.test(`refused: ${JSON.stringify(limits)}`, t => {
    t.equal(problems(inputOf(limits)), `listeners[0].${problem}`);
    t.end();
  });
