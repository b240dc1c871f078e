import t from 'tap';
import { formatDuration, parseDuration } from '../../../src/support/duration.ts';
import { fc } from '../../harness/properties.ts';

await t.test('a duration is a whole number and a unit, in milliseconds once parsed', t => {
  const cases: Record<string, number> = {
    '250ms': 250,
    '5s': 5000,
    '10m': 600_000,
    '1h': 3_600_000,
    '0': 0,
    '0s': 0,
    '0ms': 0,
    '007s': 7000,
  };
  for (const [text, ms] of Object.entries(cases)) t.equal(parseDuration(text), ms, text);
  t.end();
});

await t.test('anything else is not a duration', t => {
  const texts = ['', '5', '5x', '5 s', ' 5s', '5s ', '-5s', '1.5s', '1m30s', '5S', 's', '1e3s', '٣s', '5s\n'];
  for (const text of [...texts, '1'.repeat(13) + 's'])
    t.equal(parseDuration(text), undefined, JSON.stringify(text));
  t.end();
});

await t.test('a printed duration uses the largest exact unit', t => {
  t.same([0, 1, 999, 1000, 61_000, 60_000, 3_600_000, 90_000_000].map(formatDuration), [
    '0',
    '1ms',
    '999ms',
    '1s',
    '61s',
    '1m',
    '1h',
    '25h',
  ]);
  t.end();
});

await t.test('every number of milliseconds survives being printed and parsed', t => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999_999 }), ms => parseDuration(formatDuration(ms)) === ms),
  );
  t.end();
});
