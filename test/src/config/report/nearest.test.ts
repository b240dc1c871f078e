import t from 'tap';
import { nearest } from '../../../../src/config/report/nearest.ts';
import { STRATEGY_NAMES } from '../../../../strategies/index.ts';
import { fc } from '../../../harness/properties.ts';

await t.test('a slip of the finger finds the name that was meant', t => {
  const keys = ['address', 'weight', 'maxSessions', 'bind'];
  const cases: Record<string, string> = {
    weigth: 'weight',
    wieght: 'weight',
    adress: 'address',
    maxsessions: 'maxSessions',
    'max-sessions': 'maxSessions',
    maxSession: 'maxSessions',
    bnid: 'bind',
    binds: 'bind',
  };
  for (const [name, meant] of Object.entries(cases)) t.equal(nearest(name, keys), meant, name);
  t.equal(nearest('lestconn', STRATEGY_NAMES), 'leastconn');
  t.equal(nearest('round-robin', STRATEGY_NAMES), 'roundrobin');
  t.end();
});

await t.test('a name that is near to nothing gets no suggestion', t => {
  t.equal(nearest('source', STRATEGY_NAMES), undefined);
  t.equal(nearest('xyz', ['abc']), undefined);
  t.equal(nearest('no', ['p2c']), undefined);
  t.equal(nearest('', ['ab', 'a']), undefined);
  t.equal(nearest('a'.repeat(10_000), ['aaaa']), undefined);
  t.equal(nearest('anything', []), undefined);
  t.end();
});

await t.test('the nearest of several wins, the first of equally near ones', t => {
  t.equal(nearest('idles', ['idled', 'idles2', 'idle']), 'idled');
  t.equal(nearest('interval', ['intervals', 'interval']), 'interval');
  t.end();
});

await t.test('a known name with one letter left out, doubled or replaced is found again', t => {
  const edited = fc.constantFrom(...STRATEGY_NAMES.filter(name => name.length > 4)).chain(name =>
    fc.tuple(
      fc.constant(name),
      fc
        .nat(name.length - 1)
        .chain(at =>
          fc.constantFrom(
            name.slice(0, at) + name.slice(at + 1),
            name.slice(0, at) + name.slice(at, at + 1) + name.slice(at),
            `${name.slice(0, at)}#${name.slice(at + 1)}`,
          ),
        ),
    ),
  );
  fc.assert(fc.property(edited, ([name, slip]) => nearest(slip, STRATEGY_NAMES) === name));
  t.end();
});
