/** When it is said that a certificate is about to expire; and when tickets get other keys. */
import t from 'tap';
import { daysLeft, ExpiryWatch } from '../../../../src/control/tls/expiry-watch.ts';
import type { LoadedCertificate } from '../../../../src/control/tls/load-tls.ts';
import { TicketKeys } from '../../../../src/control/tls/ticket-keys.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';
import '../../../harness/run-once.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function certificate(id: string, notAfter: number): LoadedCertificate {
  return {
    ...{ owner: 'listener', of: 'web', file: `${id}.pem`, id, names: [], name: id, issuer: '' },
    ...{ notBefore: 0, notAfter },
  };
}

function watched() {
  const clock = new FakeClock();
  const said: string[] = [];
  const watch = new ExpiryWatch({
    wallClock: () => clock.now(),
    setTimer: clock.setTimer,
    onExpiring: ({ id }, left) => said.push(`${id} ${left}`),
  });
  return { clock, said, watch };
}

void t.test('a warning 14 days before, again each day, and when it has expired', async t => {
  const { clock, said, watch } = watched();
  const start = clock.now();
  watch.follow([certificate('a', start + 16 * DAY + HOUR / 2), certificate('b', start + 300 * DAY)]);
  t.same(said, []);
  clock.advance(2 * DAY);
  t.same(said, []);
  clock.advance(HOUR);
  t.same(said, ['a 13']);
  clock.advance(3 * DAY);
  t.same(said, ['a 13', 'a 12', 'a 11', 'a 10']);
  clock.advance(12 * DAY);
  t.same(said.slice(-3), ['a 0', 'a -1', 'a -2']);
});

void t.test('a reload does not say it again, another certificate ends it', async t => {
  const { clock, said, watch } = watched();
  const old = certificate('a', clock.now() + 3 * DAY);
  watch.follow([old]);
  watch.follow([old]);
  t.same(said, ['a 3']);
  watch.follow([certificate('new', clock.now() + 90 * DAY)]);
  clock.advance(5 * DAY);
  t.same(said, ['a 3']);
  watch.stop();
  clock.advance(90 * DAY);
  t.same(said, ['a 3']);
});

void t.test('days are whole, and negative from the first second on', async t => {
  t.equal(daysLeft(DAY, 0), 1);
  t.equal(daysLeft(DAY - 1, 0), 0);
  t.equal(daysLeft(0, 1), -1);
});

void t.test('tickets get other keys every twelve hours, once they are needed', async t => {
  const clock = new FakeClock();
  let made = 0;
  let rotated = 0;
  const keys = new TicketKeys({
    setTimer: clock.setTimer,
    randomBytes: count => new Uint8Array(count).fill(++made),
    onRotated: () => rotated++,
  });
  clock.advance(2 * DAY);
  t.equal(made, 0);
  const first = keys.current;
  t.equal(first.length, 48);
  t.equal(keys.current, first);
  clock.advance(12 * HOUR);
  t.not(keys.current[0], first[0]);
  t.equal(rotated, 1);
  keys.stop();
  clock.advance(5 * DAY);
  t.equal(made, 2);
});
