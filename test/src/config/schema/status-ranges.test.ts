import t from 'tap';
import { parseStatusRanges } from '../../../../src/config/schema/status-ranges.ts';

void t.test('statuses and ranges of them are read, with spaces between', async t => {
  t.same(parseStatusRanges('204'), [{ from: 204, to: 204 }]);
  t.same(parseStatusRanges('200-299, 301 ,599'), [
    { from: 200, to: 299 },
    { from: 301, to: 301 },
    { from: 599, to: 599 },
  ]);
  t.same(parseStatusRanges('100-599'), [{ from: 100, to: 599 }]);
});

void t.test('everything else is refused', async t => {
  for (const text of [
    '',
    '20',
    '2000',
    '099',
    '200-',
    '-200',
    '300-200',
    '200-600',
    '2xx',
    '200,',
    '200--300',
  ]) {
    t.equal(parseStatusRanges(text), undefined, text);
  }
});
