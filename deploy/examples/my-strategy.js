/**
 * A strategy of your own: backends of the same rack first, and among those the one with the fewest sessions.
 *
 * Its name: .js here, because this package is one of ES modules; call your own file .mjs.
 * Use it:    lb4 --strategy ./my-strategy.js --backends 10.0.1.1:80,10.0.1.2:80,10.0.2.1:80
 * The rules: `pick` is called for every new session. It returns one of the candidates, or undefined when none
 *            may be taken; it never returns one for which `skip` is true (already tried, or full), never waits
 *            and never throws. Candidates of weight 0 have been left out already.
 * Given:     candidate.id (its configured address), .weight, .live() (sessions now); context.clientAddress,
 *            context.skip (may be absent); and, as `createStrategy`'s second argument, now() and random().
 *
 * @type {import('lb4-balancer/strategies').StrategyFactory}
 */
export function createStrategy(candidates) {
  const nearFirst = candidates.toSorted((a, b) => Number(isNear(b)) - Number(isNear(a)));
  return {
    pick({ skip = () => false }) {
      const open = nearFirst.filter(candidate => !skip(candidate));
      const choice = open.filter(candidate => isNear(candidate) === isNear(open[0]));
      return choice.reduce((a, b) => (a && a.live() <= b.live() ? a : b), undefined);
    },
  };
}

const isNear = candidate => candidate.id.startsWith('10.0.1.');
