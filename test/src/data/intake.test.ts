/** A client that gates refuse at once takes no place and begins no session; one that gates let in gives all back. */
import t from 'tap';
import type { Gate, Verdict } from '../../../src/data/admission/gate.ts';
import { DataPlane } from '../../../src/data/data-plane.ts';
import type { UpstreamRuntime } from '../../../src/data/dispatch/upstream-runtime.ts';
import { DeadlineWheel } from '../../../src/data/session/deadline-wheel.ts';
import type { ListenerPlan } from '../../../src/model/listener-plan.ts';
import { ControlledState } from '../../../src/shared-memory/shared-state.ts';
import { FakeEngine } from '../../harness/fake-engine.ts';
import { FakeTimers } from '../../harness/fake-timers.ts';
import { backendPlan, listenerPlan, upstreamPlan } from '../../harness/plans.ts';

type Answer = Verdict<UpstreamRuntime>;
const REFUSE: Answer = { kind: 'refuse', reason: 'noProxyHeader' };

/** A data plane whose gate answers as the test says, and holds something for each client that it lets in. */
async function start(maxSessions = Infinity, limits: ListenerPlan['limits'] = {}) {
  const engine = new FakeEngine();
  const timers = new FakeTimers();
  const shared = new ControlledState({ slots: 16 });
  const asked: string[] = [];
  const held = { now: 0, ever: 0, undone: 0 };
  const answers = new Map<string, Answer>();
  const gate: Gate<UpstreamRuntime> = ({ clientAddress }, { bytes }) => {
    asked.push(clientAddress);
    const answer = answers.get(clientAddress);
    if (answer !== undefined && bytes.length === 0) return answer;
    held.now += 1;
    held.ever += 1;
    const leave = (isUndone: boolean): void => {
      held.now -= 1;
      held.undone += Number(isUndone);
    };
    return { kind: 'pass', leave };
  };
  const ledger = { sessionsEver: 0, sessionsAborted: 0 };
  const now = (): number => 1_000;
  const data = new DataPlane({
    ...{ engine, shared, ledger, now, wallClock: now, setTimer: timers.setTimer },
    wheel: new DeadlineWheel(now),
    slot: shared.slotOfInstance(),
    random: () => 0.5,
    report: () => undefined,
    gatesOf: () => [gate],
  });
  const { index, tag } = shared.slotOfBackend('app', 'b');
  const backend = backendPlan('b', index, { tag, addresses: [{ kind: 'tcp', host: '192.0.2.9', port: 80 }] });
  data.apply({ kind: 'upstream', upstream: upstreamPlan('app', { backends: [backend] }, shared) });
  data.apply({
    kind: 'listeners',
    upstreams: [],
    listeners: {
      limits: { maxSessions },
      slot: shared.slotOfInstance(),
      listeners: [
        listenerPlan('web', {
          limits,
          slot: shared.slotOfListener('web'),
          bind: [{ key: 'a', where: { kind: 'tcp', host: '127.0.0.1', port: 80 } }],
        }),
      ],
    },
  });
  await data.settled();
  const places = (): number => shared.counts.live(shared.slotOfInstance());
  const connect = (address: string) => engine.listeners[0]!.client(address);
  return { data, engine, ledger, asked, answers, held, places, connect };
}

void t.test('a client that is refused at once is reset, and never was a session', async t => {
  const { ledger, answers, places, connect, engine } = await start();
  answers.set('192.0.2.1', REFUSE);
  t.same(connect('192.0.2.1').calls, ['reset']);
  t.same([ledger.sessionsEver, places(), engine.connects.length], [0, 0, 0]);
});

void t.test('a client that is let in at once looks for a backend in the same step', async t => {
  const { engine, held, places, connect } = await start();
  const client = connect('192.0.2.2');
  t.equal(engine.connects.length, 1);
  t.same([held.now, places()], [1, 1]);
  engine.connects[0]?.succeed();
  engine.relays[0]?.end({ by: 'client', reason: 'closed' });
  t.same([held.now, held.ever, places()], [0, 1, 0]);
  t.same(client.calls, ['relay']);
});

void t.test('a session that is aborted gives back what its gates hold, once', async t => {
  const { data, held, places, connect } = await start();
  connect('192.0.2.2');
  data.abortSessions({ by: 'balancer', phase: 'drain', reason: 'stopped' });
  t.same([held.now, held.ever, places()], [0, 1, 0]);
  connect('192.0.2.3');
  t.same([held.now, held.ever, places()], [0, 1, 0], 'those that come later are asked nothing');
});

void t.test('a session whose thread dies gives it back as well', async t => {
  const { data, engine, held, connect } = await start();
  connect('192.0.2.2');
  engine.connects[0]?.succeed();
  data.abandonSessions({ by: 'balancer', phase: 'relay', reason: 'workerDied' });
  t.same([held.now, held.ever], [0, 1]);
});

void t.test('a client without a place is asked at its turn, and then only', async t => {
  const { engine, asked, answers, held, places, connect } = await start(1);
  connect('192.0.2.2');
  answers.set('192.0.2.3', REFUSE);
  const refused = connect('192.0.2.3');
  connect('192.0.2.4');
  t.same(asked, ['192.0.2.2']);
  engine.connects[0]?.fail('refused');
  t.same(asked, ['192.0.2.2', '192.0.2.3', '192.0.2.4']);
  t.same(refused.calls, ['reset']);
  t.same([held.now, held.ever, places()], [1, 2, 1]);
});

void t.test('a client that the rate of its listener makes wait has cost its gates nothing', async t => {
  const { held, ledger, connect } = await start(Infinity, { rate: { intervalMs: 3_600_000, burst: 1 } });
  for (const address of ['192.0.2.2', '192.0.2.3', '192.0.2.4']) connect(address);
  t.equal(ledger.sessionsEver, 1);
  t.same([held.ever, held.now, held.undone], [2, 1, 1], 'that of the first one that waits is undone');
});

void t.test('a gate that wants bytes gets its client a session first', async t => {
  const { engine, answers, held, ledger, places, connect } = await start();
  answers.set('192.0.2.5', { kind: 'more', bytes: 3 });
  const client = connect('192.0.2.5');
  t.same([ledger.sessionsEver, places(), held.ever, engine.connects.length], [1, 1, 0, 0]);
  await Promise.resolve();
  t.same(client.calls, ['peek:3']);
  client.show('abc');
  t.same([held.now, engine.connects.length], [1, 1]);
});
