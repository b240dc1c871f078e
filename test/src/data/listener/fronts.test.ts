/** Listeners of one data plane come, go and come back; what came in through one that has gone is not forgotten. */
import t from 'tap';
import { enterAll } from '../../../../src/data/admission/gate.ts';
import type { Front } from '../../../../src/data/listener/front.ts';
import { Fronts } from '../../../../src/data/listener/fronts.ts';
import { SessionLimit } from '../../../../src/data/listener/session-limit.ts';
import { Pacing } from '../../../../src/data/session/pacing.ts';
import type { ListenerPlan } from '../../../../src/model/listener-plan.ts';
import { ControlledState } from '../../../../src/shared-memory/shared-state.ts';
import { setUnrefTimer } from '../../../../src/support/timer.ts';
import { FakeEngine } from '../../../harness/fake-engine.ts';
import { listenerPlan } from '../../../harness/plans.ts';

function create() {
  const engine = new FakeEngine();
  const shared = new ControlledState({ slots: 8 });
  const seen: string[] = [];
  /** The sessions that run, each as the front that it came in through. */
  const sessions: Front<string>[] = [];
  const instanceLimit = new SessionLimit(shared.slotOfInstance(), shared.counts, {
    onFull: () => fronts.holdAll('instanceLimit'),
    onFree: () => fronts.unholdInTurn('instanceLimit', () => instanceLimit.isFull),
  });
  const fronts: Fronts<string> = new Fronts<string>({
    ...{ engine, counts: shared.counts, counters: shared.counters, instanceLimit },
    startRates: shared.startRates,
    upstreamOf: name => name,
    gatesOf: () => [],
    pacing: new Pacing(shared.byteTimes, () => 0, setUnrefTimer),
    onRepaced: front => seen.push(`repaced ${front.name}`),
    onPlaceFreed: () => undefined,
    setTimer: setUnrefTimer,
    now: () => 0,
    onExhausted: () => seen.push('exhausted'),
    report: event => seen.push('listener' in event ? `${event.kind} ${event.listener}` : event.kind),
    onClient: (front, client) => {
      if (!enterAll(front.places)) return false;
      front.sessions += 1;
      sessions.push(front);
      seen.push(`${client.peerAddress} at ${front.name} for ${front.upstream}`);
      return true;
    },
  });
  /** A listener at a port of its own, where the engine binds. */
  const web = (name: string, port: number, plan: Partial<ListenerPlan> = {}): ListenerPlan =>
    listenerPlan(name, {
      slot: shared.slotOfListener(name),
      bind: [{ key: `${port}`, where: { kind: 'tcp', host: '127.0.0.1', port } }],
      ...plan,
    });
  const endSession = (): void => {
    const front = sessions.shift();
    if (front === undefined) throw new Error('no session runs');
    fronts.leave(front);
  };
  return { engine, seen, fronts, instanceLimit, web, endSession };
}

void t.test('clients go where the last plan of their listener leads', async t => {
  const { engine, fronts, seen, web } = create();
  await fronts.apply([web('a', 80, { upstream: 'one' })]);
  engine.listeners[0]?.client('192.0.2.1');
  await fronts.apply([web('a', 80, { upstream: 'two' })]);
  engine.listeners[0]?.client('192.0.2.2');
  t.same(seen, ['192.0.2.1 at a for one', '192.0.2.2 at a for two']);
  t.equal(engine.listeners.length, 1, 'an address that stays is not bound again');
});

void t.test('a listener that has gone is left while its sessions run, and no longer', async t => {
  const { engine, fronts, web, endSession } = create();
  await fronts.apply([web('a', 80), web('b', 81)]);
  engine.listeners[0]?.client();
  await fronts.apply([web('b', 81)]);
  t.match(engine.listeners, [{ closed: true }, { closed: false }]);
  t.same([fronts.left, fronts.addressesOf('a')], [['a'], []]);
  endSession();
  t.same(fronts.left, []);
});

void t.test('a listener that was full when it went takes clients when it comes back', async t => {
  const { engine, fronts, seen, web, endSession } = create();
  const full = web('a', 80, { limits: { maxSessions: 1 } });
  await fronts.apply([full]);
  engine.listeners[0]?.client('192.0.2.1');
  t.equal(fronts.isPaused('a'), true);
  await fronts.apply([]);
  endSession();
  await fronts.apply([full]);
  t.equal(fronts.isPaused('a'), false);
  engine.listeners[1]?.client('192.0.2.2');
  t.ok(seen.includes('192.0.2.2 at a for app'));
});

void t.test('a client that waits for a place keeps its listener, and gets the place', async t => {
  const { engine, fronts, instanceLimit, seen, web, endSession } = create();
  instanceLimit.configure(1);
  await fronts.apply([web('a', 80), web('b', 81)]);
  engine.listeners[0]?.client('192.0.2.1');
  engine.listeners[1]?.client('192.0.2.2');
  t.same([fronts.isEmpty, fronts.isPaused('a'), fronts.isPaused('b')], [false, true, true]);
  await fronts.apply([web('a', 80)]);
  t.same(fronts.left, ['b']);
  endSession();
  t.ok(seen.includes('192.0.2.2 at b for app'));
  t.equal(fronts.isEmpty, true);
  endSession();
  t.same(fronts.left, []);
});

void t.test('a listener that is new while all are held is held from the start', async t => {
  const { engine, fronts, web } = create();
  await fronts.apply([web('a', 80)]);
  fronts.holdAll('localResources');
  await fronts.apply([web('a', 80), web('b', 81)]);
  t.match(engine.listeners, [{ paused: true }, { paused: true }]);
  fronts.unholdAll('localResources');
  await fronts.apply([web('a', 80), web('b', 81), web('c', 82)]);
  t.match(engine.listeners, [{ paused: false }, { paused: false }, { paused: false }]);
});

void t.test('listeners take turns at the places that get free', async t => {
  const { engine, fronts, instanceLimit, seen, web, endSession } = create();
  instanceLimit.configure(1);
  await fronts.apply([web('a', 80), web('b', 81)]);
  engine.listeners[0]?.client('192.0.2.1');
  for (const peer of ['192.0.2.2', '192.0.2.3']) engine.listeners[0]?.client(peer);
  for (const peer of ['192.0.2.4', '192.0.2.5']) engine.listeners[1]?.client(peer);
  for (let i = 0; i < 4; i++) endSession();
  const served = seen.filter(line => line.includes(' at ')).map(line => line.split(' ')[2]);
  t.same(served.toSorted().join(''), 'aaabb');
  t.match(served.slice(1, 3).toSorted(), ['a', 'b'], 'each has one of the first two');
});

void t.test('an address that goes to a listener of another name has one listener at a time', async t => {
  const { engine, fronts, seen, web } = create();
  await fronts.apply([web('a', 80)]);
  await fronts.apply([web('b', 80)]);
  t.match(engine.listeners, [{ closed: true }, { closed: false }]);
  engine.listeners[1]?.client('192.0.2.1');
  t.same(seen, ['192.0.2.1 at b for app']);
});

void t.test('a socket of the host goes to a listener of another name without being closed', async t => {
  const { engine, fronts, web } = create();
  const address = { kind: 'tcp', host: '127.0.0.1', port: 80 } as const;
  const bind = [{ key: '80', where: { kind: 'listening', fd: 7, address } as const }];
  await fronts.apply([web('a', 80, { bind })]);
  await fronts.apply([web('b', 80, { bind })]);
  t.match(engine.listeners, [
    { released: true, closed: false },
    { released: false, closed: false },
  ]);
});

void t.test('a socket that other data planes listen at from now on is released, not emptied', async t => {
  const { engine, fronts, web, endSession } = create();
  const address = { kind: 'tcp', host: '127.0.0.1', port: 80 } as const;
  const bind = [{ key: '80', where: { kind: 'listening', fd: 7, address } as const }];
  await fronts.apply([web('a', 80, { bind }), web('b', 81)]);
  engine.listeners[0]?.client();
  await fronts.apply([web('b', 81)], ['80']);
  t.match(engine.listeners, [
    { released: true, closed: false },
    { released: false, closed: false },
  ]);
  t.same(fronts.left, ['a'], 'its session runs on');
  endSession();
  t.same(fronts.left, []);
});

void t.test('clients of a dead worker are taken by the listener that they came to', async t => {
  const { engine, fronts, web } = create();
  await fronts.apply([web('a', 80)]);
  const address = { kind: 'tcp', host: '127.0.0.1', port: 80 } as const;
  const socket = { kind: 'listening', fd: 7, address } as const;
  await fronts.takeClientsOf([
    { listener: 'a', socket },
    { listener: 'gone', socket },
  ]);
  t.match(engine.listeners, [{ closed: false }, { closed: true }]);
});

void t.test('clients that wait can be given up, and a stop closes every address', async t => {
  const { engine, fronts, instanceLimit, web } = create();
  instanceLimit.configure(1);
  await fronts.apply([web('a', 80), web('b', 81)]);
  engine.listeners[0]?.client('192.0.2.1');
  engine.listeners[1]?.client('192.0.2.2');
  t.same(
    fronts.takeWaiting().map(({ front, client }) => [front.name, client.peerAddress]),
    [['b', '192.0.2.2']],
  );
  await fronts.stop();
  t.match(engine.listeners, [{ closed: true }, { closed: true }]);
});

void t.test('what the engine reports of an address is reported with its listener', async t => {
  const { engine, fronts, seen, web } = create();
  await fronts.apply([web('a', 80)]);
  const handlers = engine.listeners[0]?.handlers;
  handlers?.onTurnedAway?.();
  handlers?.onBroken?.('EMFILE');
  handlers?.onMended?.();
  handlers?.onExhausted?.('EMFILE');
  t.same(seen, ['turnedAway a', 'listenerBroken a', 'listenerMended a', 'exhausted']);
});

void t.test('sessions that run get another bandwidth at once, when there is another one', async t => {
  const { engine, fronts, seen, web, endSession } = create();
  const limited = { limits: { bandwidth: { fromClient: 1_000_000 } } };
  await fronts.apply([web('a', 80)]);
  engine.listeners[0]?.client();
  await fronts.apply([web('a', 80, limited)]);
  t.equal(seen.pop(), 'repaced a');
  await fronts.apply([web('a', 80, { ...limited, upstream: 'two' })]);
  t.not(seen.at(-1), 'repaced a', 'its limits are the same');
  await fronts.apply([web('a', 80)]);
  t.equal(seen.pop(), 'repaced a');
  endSession();
  await fronts.apply([web('a', 80, limited)]);
  t.not(seen.at(-1), 'repaced a', 'no session runs');
});
