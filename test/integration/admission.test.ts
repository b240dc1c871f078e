/** Gates of a whole data plane over real sockets: they see the first bytes, and the backend sees the rest. */
import t, { type Test } from 'tap';
import type { Gate } from '../../src/data/admission/gate.ts';
import { DataPlane, type KnownUpstreams } from '../../src/data/data-plane.ts';
import type { UpstreamRuntime } from '../../src/data/dispatch/upstream-runtime.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createNodeEngine } from '../../src/engine/node/node-engine.ts';
import type { SessionRecord } from '../../src/model/session-record.ts';
import { DeadlineWheel } from '../../src/data/session/deadline-wheel.ts';
import { ControlledState } from '../../src/shared-memory/shared-state.ts';
import { setUnrefTimer } from '../../src/support/timer.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { newEpollEngine } from '../harness/epoll-engine.ts';
import { backendPlan, listenerPlan, listenersChange, upstreamPlan } from '../harness/plans.ts';
import { until } from '../harness/until.ts';

const NAMES = ['app', 'other'] as const;
/** Bytes of a line that names the upstream. */
const MOST = 32;

const engines: Readonly<Record<string, () => Engine>> = {
  node: () => createNodeEngine({ clock: { nowMs: 0 } }),
  epoll: () => newEpollEngine(),
};

/** A data plane whose clients say first where they want to go. */
async function start(t: Test, create: (typeof engines)[string]) {
  const now = (): number => performance.now();
  const shared = new ControlledState({ slots: 16 });
  const records: SessionRecord[] = [];
  const byName =
    (upstreams: KnownUpstreams): Gate<UpstreamRuntime> =>
    (facts, { bytes, isAll }) => {
      const end = bytes.indexOf(10);
      if (end < 0)
        return isAll || bytes.length >= MOST
          ? { kind: 'refuse', reason: 'badProxyHeader' }
          : { kind: 'more', bytes: MOST };
      const upstream = upstreams.get(Buffer.from(bytes.subarray(0, end)).toString());
      if (upstream === undefined) return { kind: 'refuse', reason: 'badProxyHeader' };
      return { kind: 'pass', facts: { ...facts, clientAddress: '198.51.100.7', upstream }, take: end + 1 };
    };
  const data = new DataPlane({
    engine: create(),
    wheel: new DeadlineWheel(now),
    ...{ shared, now, wallClock: now, setTimer: setUnrefTimer, slot: shared.slotOfInstance() },
    ledger: { sessionsEver: 0, sessionsAborted: 0 },
    random: () => 0.5,
    report: event => {
      if (event.kind === 'sessionClosed') records.push(event.record);
    },
    gatesOf: (_plan, upstreams) => [byName(upstreams)],
  });
  data.recording = 'each';
  t.teardown(async () => {
    await data.stopListening();
    data.abortSessions({ by: 'balancer', phase: 'drain', reason: 'stopped' });
  });
  const backends = await Promise.all(NAMES.map(() => startBackend(t, scripts.echo)));
  for (const [i, name] of NAMES.entries()) {
    const address = backends[i]!.address;
    const { index, tag } = shared.slotOfBackend(name, 'b');
    const plan = upstreamPlan(
      name,
      { backends: [backendPlan('b', index, { tag, addresses: [address] })] },
      shared,
    );
    data.apply({ kind: 'upstream', upstream: plan });
  }
  data.apply(
    listenersChange(
      shared,
      listenerPlan('web', {
        slot: shared.slotOfListener('web'),
        bind: [{ key: 'a', where: { kind: 'tcp', host: '127.0.0.1', port: 0 } }],
      }),
    ),
  );
  await data.settled();
  const [address] = data.addressesOf('web');
  const sessions = (): number => shared.counts.live(shared.slotOfInstance());
  return { data, records, backends, sessions, connect: () => connectClient(t, address!) };
}

for (const [name, create] of Object.entries(engines)) {
  const skip = name === 'epoll' && !loadLibc().ok;
  void t.test(`${name} engine`, { skip }, t => {
    void t.test(
      'in one-byte pieces, and with all that follows in one piece: byte for byte, counted once',
      async t => {
        const { records, backends, connect } = await start(t, create);
        const slow = await connect();
        for (const byte of 'other\nhello') {
          await slow.send(byte);
          await new Promise(resolve => setTimeout(resolve, 2));
        }
        await slow.untilText('hello');
        const much = await connect();
        const bytes = Buffer.alloc(300_000, 'x');
        void much.send(Buffer.concat([Buffer.from('app\n'), bytes]));
        await until('all of it is back', () => much.receivedBytes === bytes.length);
        much.halfClose();
        slow.halfClose();
        await until('both have ended', () => records.length === 2);
        t.same(
          backends.map(({ peers }) => peers.length),
          [1, 1],
        );
        t.match(
          records.sort((a, b) => a.bytesFromClient - b.bytesFromClient),
          [
            { upstream: 'other', clientAddress: '198.51.100.7', bytesFromClient: 5, bytesFromBackend: 5 },
            { upstream: 'app', bytesFromClient: 300_000, bytesFromBackend: 300_000, reason: 'closed' },
          ],
        );
      },
    );

    void t.test('who says nothing that a gate can use reaches no backend', async t => {
      const { data, records, backends, connect } = await start(t, create);
      const stranger = await connect();
      await stranger.send('nowhere\n');
      const endless = await connect();
      await endless.send('x'.repeat(MOST + 100));
      const short = await connect();
      await short.send('app');
      short.halfClose();
      const gone = await connect();
      await gone.send('ap');
      await until('three are refused', () => records.length === 3);
      await until('they know', () => [stranger, endless, short].every(({ ending }) => ending === 'reset'));
      gone.reset();
      await until('all have ended', () => records.length === 4);
      t.match(records[3], {
        by: 'client',
        phase: 'admission',
        reason: 'reset',
        attempts: 0,
        backend: undefined,
      });
      for (const record of records.slice(0, 3))
        t.match(record, { phase: 'admission', reason: 'badProxyHeader' });
      t.same(
        backends.map(({ peers }) => peers.length),
        [0, 0],
      );
      await data.whenEmpty();
    });

    void t.test('a stop ends those who are on their way', async t => {
      const { data, records, sessions, connect } = await start(t, create);
      const client = await connect();
      await client.send('ap');
      await until('it has a session', () => sessions() === 1);
      data.abortSessions({ by: 'balancer', phase: 'drain', reason: 'stopped' });
      await data.whenEmpty();
      t.match(records, [{ phase: 'drain', reason: 'stopped' }]);
      await until('it is reset', () => client.ending === 'reset');
    });
    t.end();
  });
}
