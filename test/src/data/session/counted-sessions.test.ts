/** When bytes of sessions that run are counted. */
import t from 'tap';
import { CountedSessions, MOST_LOOKS } from '../../../../src/data/session/counted-sessions.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';

class Moving {
  index = 0;
  looks = 0;

  countBytes(): void {
    this.looks += 1;
  }
}

function listOf(count: number) {
  const clock = new FakeClock();
  const list = new CountedSessions<Moving>(clock.setTimer);
  const sessions = Array.from({ length: count }, () => new Moving());
  for (const session of sessions) list.add(session);
  return { clock, list, sessions };
}

void t.test('each session is looked at once a second', async t => {
  for (const count of [1, 7, 10, 995, 10 * MOST_LOOKS]) {
    const { clock, sessions } = listOf(count);
    clock.advance(1_000);
    t.ok(
      sessions.every(({ looks }) => looks >= 1),
      `${count} sessions`,
    );
  }
});

void t.test('with very many a tick costs no more: each waits longer', async t => {
  const { clock, sessions } = listOf(50 * MOST_LOOKS);
  clock.advance(100);
  t.equal(sessions.filter(({ looks }) => looks === 1).length, MOST_LOOKS);
  clock.advance(4_900);
  t.ok(sessions.every(({ looks }) => looks === 1));
});

void t.test('nothing ticks while no session runs', async t => {
  const { clock, list, sessions } = listOf(2);
  t.equal(clock.pending, 1, 'one timer for all');
  for (const session of sessions) list.delete(session);
  clock.advance(100);
  t.equal(clock.pending, 0);
  list.add(new Moving());
  t.equal(clock.pending, 1);
});
