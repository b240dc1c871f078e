import t from 'tap';
import { demoLine } from '../../../src/cli/demo-line.ts';

const status = (live: number, served: number, broken = '') => ({
  backends: ['alpha', 'bravo', 'delta'].map(name => ({ name, live, served, isBroken: name === broken })),
  sessionsEver: 3 * served,
});

void t.test('in words where there is room, as numbers where there is less', async t => {
  const words = '  alpha 0 live, 1 served · bravo 0 live, 1 served · delta 0 live, 1 served · 3 sessions';
  t.equal(demoLine(status(0, 1), Infinity), words);
  t.equal(demoLine(status(0, 1), 88), words);
  t.equal(demoLine(status(0, 1), 80), '  live/served: alpha 0/1 · bravo 0/1 · delta 0/1 · 3 sessions');
  t.equal(demoLine(status(0, 1), 40), 'alpha 0/1 bravo 0/1 delta 0/1');
  t.equal(demoLine(status(99, 12_345), 40), 'a 99/12345 b 99/12345 d 99/12345');
});

void t.test('a backend that is broken says so in each form', async t => {
  const line = (columns: number) => demoLine(status(0, 1, 'bravo'), columns);
  t.match(line(Infinity), ' · bravo (broken) 0 live, 1 served · ');
  t.match(line(80), ' · bravo (broken) 0/1 · ');
  t.equal(line(40), 'alpha 0/1 bravo! 0/1 delta 0/1');
  t.equal(line(30), 'a 0/1 b! 0/1 d 0/1');
});

void t.test('it never takes the last column, whatever the width and the counts', async t => {
  for (const columns of [1, 2, 10, 20, 40, 79, 80, 87, 88, 120]) {
    for (const count of [0, 1, 99, 12_345, 123_456_789]) {
      const line = demoLine(status(count, count), columns);
      t.ok(line.length < columns, `${columns} columns: ${line.length}`);
    }
  }
});
