import t from 'tap';
import { afterProbe, type Verdict } from '../../../../src/control/health/rise-fall.ts';

const thresholds = { rise: 2, fall: 3 };

/** '+' passed, '-' failed → the verdict after each. */
function verdicts(results: string, start = true): string {
  let verdict: Verdict = { healthy: start, against: 0 };
  return Array.from(results, result => {
    verdict = afterProbe(verdict, result === '+', thresholds);
    return verdict.healthy ? 'U' : 'D';
  }).join('');
}

void t.test(
  'a backend goes down after `fall` failures in a row and comes up after `rise` passes in a row',
  async t => {
    t.equal(verdicts('---++'), 'UUDDU');
  },
);

void t.test('a pass between failures starts the count anew', async t => {
  t.equal(verdicts('--+--+--'), 'UUUUUUUU');
  t.equal(verdicts('+-+-+', false), 'DDDDD');
});

void t.test('a verdict is not reported twice', async t => {
  t.equal(verdicts('-----'), 'UUDDD');
  t.equal(verdicts('+++', false), 'DUU');
});

void t.test('rise 1 and fall 1 flip at once', async t => {
  t.same(afterProbe({ healthy: true, against: 0 }, false, { rise: 1, fall: 1 }), {
    healthy: false,
    against: 0,
  });
  t.same(afterProbe({ healthy: false, against: 0 }, true, { rise: 1, fall: 1 }), {
    healthy: true,
    against: 0,
  });
});
