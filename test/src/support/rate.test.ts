import t from 'tap';
import { parseRate } from '../../../src/support/rate.ts';

void t.test('a rate is a number of things in a second, a minute or an hour', async t => {
  t.same(parseRate('50/s'), { count: 50, perMs: 1_000 });
  t.same(parseRate('10/m'), { count: 10, perMs: 60_000 });
  t.same(parseRate('1000000/h'), { count: 1_000_000, perMs: 3_600_000 });
});

void t.test('anything else is none', async t => {
  for (const text of [
    '',
    '50',
    '0/s',
    '-1/s',
    '05/s',
    '5 /s',
    '5/S',
    '5/d',
    '1.5/s',
    '10000000/s',
    '5/ms',
    ' 5/s',
  ])
    t.equal(parseRate(text), undefined, text);
});
