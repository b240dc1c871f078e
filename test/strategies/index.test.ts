import t from 'tap';
import { STRATEGIES, STRATEGY_NAMES, createStrategy, isStrategyName } from '../../strategies/index.ts';
import { deps, fakes } from './fakes.ts';

await t.test('the names are those of the command line, each with its factory', t => {
  t.strictSame(STRATEGY_NAMES, ['roundrobin', 'leastconn', 'iphash', 'random', 'p2c', 'ewma', 'first']);
  t.strictSame(Object.keys(STRATEGIES).sort(), [...STRATEGY_NAMES].sort());
  t.equal(new Set(Object.values(STRATEGIES)).size, 7);
  t.end();
});

await t.test('knows its names and nothing that only looks like one', t => {
  t.ok(STRATEGY_NAMES.every(isStrategyName));
  for (const other of ['', 'leastConn', 'toString', '__proto__', './first']) t.notOk(isStrategyName(other));
  t.end();
});

await t.test('a factory sees no candidate of weight 0, and what it replaces', t => {
  const all = fakes(0, 1, 0, 2);
  const given = deps();
  const previous = { pick: () => undefined };
  const strategy = { pick: () => undefined };
  const made = createStrategy(
    (...args) => {
      t.strictSame(args, [[all[1], all[3]], given, previous]);
      return strategy;
    },
    all,
    given,
    previous,
  );
  t.equal(made, strategy);
  t.end();
});
