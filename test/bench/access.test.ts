/** Look-ups in access lists: both families have a row of figures. */
import t from 'tap';
import { measureAccess, parseAccessOptions } from '../../bench/access/access.ts';

void t.test('each family has its figures', t => {
  let nowMs = 0;
  const rows = measureAccess(() => (nowMs += 1), { networks: 200 }, 2).split('\n');
  t.equal(rows.length, 4);
  // One millisecond by that clock for 10,000 look-ups.
  t.match(rows.slice(2), [
    /^\| IPv4 \| 100 \| 100 \| \d+ \| \d\.0 \| \d+ \|$/,
    /^\| IPv6 \| 100 \| 100 \| \d+ \| \d\.0 \| \d+ \|$/,
  ]);
  t.end();
});

void t.test('it takes a number of networks', t => {
  t.same(parseAccessOptions([]), { networks: 50_000 });
  t.same(parseAccessOptions(['--networks', '7']), { networks: 7 });
  t.equal(parseAccessOptions(['--help']), undefined);
  t.throws(() => parseAccessOptions(['--networks', 'many']), /at least 1/);
  t.end();
});
