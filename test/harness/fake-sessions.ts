/**
 * Sessions of one listener over a fake upstream, whose connects, relays and time the test moves.
 *
 * Place: for tests of `Session` without a data plane around it.
 */
import { DeadlineWheel } from '../../src/data/session/deadline-wheel.ts';
import { Session } from '../../src/data/session/session.ts';
import type { ListenerPlan } from '../../src/model/listener-plan.ts';
import type { SessionRecord } from '../../src/model/session-record.ts';
import { Deadlines } from '../../src/support/deadlines.ts';
import { setUnrefTimer } from '../../src/support/timer.ts';
import { dispatcherDeps } from './dispatch-deps.ts';
import { FakeConnection } from './fake-engine.ts';
import type { createFakeUpstream } from './fake-upstream.ts';
import { listenerPlan } from './plans.ts';

type FakeUpstream = ReturnType<typeof createFakeUpstream>;

/** @param upstreamAt builds the upstream over the clock of the sessions, which starts at 1 s */
export function fakeSessions(
  upstreamAt: (now: () => number) => FakeUpstream,
  listener: Pick<ListenerPlan, 'whenUnavailable' | 'timeouts'>,
  chance = 0,
) {
  let nowMs = 1_000;
  const now = (): number => nowMs;
  const fake = upstreamAt(now);
  const wheel = new DeadlineWheel(now);
  const records: SessionRecord[] = [];
  const listenerCells = fake.shared.counters.cells(fake.shared.slotOfListener('web'));
  let opened = 0;
  /** Begins another session. */
  const open = () => {
    opened += 1;
    const client = new FakeConnection('192.0.2.7');
    const session = new Session(
      opened,
      client,
      {
        plan: listenerPlan('web', listener),
        upstream: fake.upstream,
        cells: listenerCells,
        bandwidth: undefined,
      },
      {
        idPrefix: 's',
        ...dispatcherDeps({ now }),
        random: () => chance,
        engine: fake.engine,
        wheel,
        deadlines: new Deadlines(now, setUnrefTimer),
        isRecording: () => true,
        wallClock: () => 1_700_000_000_000 + nowMs - 1_000,
        onEnd: (ended, termination, relayed) => void records.push(ended.record(termination, relayed)),
      },
    );
    session.start();
    return { client, session };
  };
  const pass = (ms: number): void => {
    for (const endMs = nowMs + ms; nowMs < endMs;) {
      nowMs += Math.min(100, endMs - nowMs);
      wheel.advance();
    }
  };
  return { ...fake, open, pass, now, wheel, records };
}
