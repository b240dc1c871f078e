/**
 * A session of a listener with TLS: first the gates on raw bytes, then the handshake, then all that looks at what the
 * client says.
 */
import t from 'tap';
import { DataPlane } from '../../../src/data/data-plane.ts';
import { DeadlineWheel } from '../../../src/data/session/deadline-wheel.ts';
import type { TlsServerSettings } from '../../../src/engine/tls.ts';
import { Counts } from '../../../src/model/counter-view.ts';
import type { DataEvent } from '../../../src/model/data-event.ts';
import type { ListenerPlan } from '../../../src/model/listener-plan.ts';
import { HANDSHAKE_FAILURES, LISTENER } from '../../../src/shared-memory/counters/layout.ts';
import { ControlledState } from '../../../src/shared-memory/shared-state.ts';
import { FakeClock } from '../../harness/fake-clock.ts';
import { FakeEngine } from '../../harness/fake-engine.ts';
import { FakeTls, serverSettings } from '../../harness/fake-tls.ts';
import { backendPlan, listenerPlan, listenersChange, upstreamPlan } from '../../harness/plans.ts';

const ADDRESS = { kind: 'tcp', host: '192.0.2.9', port: 80 } as const;

/** A data plane with one listener, whose engine has TLS. */
async function start(plan: Partial<ListenerPlan> = { tls: serverSettings() }, tls = new FakeTls()) {
  const engine = new FakeEngine(tls);
  const clock = new FakeClock();
  const shared = new ControlledState({ slots: 16 });
  const ledger = { sessionsEver: 0, sessionsAborted: 0 };
  const now = (): number => clock.now();
  const events: DataEvent[] = [];
  const data = new DataPlane({
    ...{ engine, shared, ledger, now, wallClock: now, setTimer: clock.setTimer },
    wheel: new DeadlineWheel(now),
    slot: shared.slotOfInstance(),
    random: () => 0.5,
    report: event => events.push(event),
  });
  data.recording = 'each';
  const { index, tag } = shared.slotOfBackend('app', 'b');
  const backend = backendPlan('b', index, { tag, addresses: [ADDRESS] });
  data.apply({ kind: 'upstream', upstream: upstreamPlan('app', { backends: [backend] }, shared) });
  const slot = shared.slotOfListener('web');
  const configure = async (changed: Partial<ListenerPlan>): Promise<void> => {
    const bind = [{ key: 'a', where: ADDRESS }];
    data.apply(listenersChange(shared, listenerPlan('web', { slot, bind, ...changed })));
    await data.settled();
  };
  await configure(plan);
  const connect = (address = '192.0.2.1') => {
    const client = engine.listeners[0]!.client(address);
    return { client, handshake: tls.handshakes.at(-1)! };
  };
  const counts = (): Counts => {
    const { cells, at, rows } = shared.counters.live(slot);
    return new Counts(cells, at, rows);
  };
  const failures = (): Record<string, number> =>
    Object.fromEntries(
      HANDSHAKE_FAILURES.map(
        (reason, i) => [reason, counts().of(LISTENER.handshakeFailures, i)] as const,
      ).filter(([, times]) => times > 0),
    );
  const handshakes = (): number[] => [0, 1].map(i => counts().of(LISTENER.handshakes, i));
  const records = () => events.flatMap(event => (event.kind === 'sessionClosed' ? [event.record] : []));
  const refusals = () => events.filter(({ kind }) => kind === 'refused');
  const places = (): number => shared.counts.live(slot);
  return {
    ...{ data, engine, tls, clock, ledger, configure, connect },
    ...{ failures, handshakes, records, refusals, places },
  };
}

void t.test('the backend is asked after the handshake, and gets what is inside', async t => {
  const { engine, connect, records, handshakes, data, clock } = await start();
  const { client, handshake } = connect();
  t.equal(handshake.client, client);
  t.equal(engine.connects.length, 0);
  t.match(data.sessions({ limit: 1 }), [{ phase: 'admission', tlsVersion: undefined }]);
  clock.advance(3);
  const inside = handshake.succeed();
  t.match(data.sessions({ limit: 1 }), [
    {
      ...{ phase: 'connect', serverName: 'shop.example', tlsVersion: 'TLSv1.3' },
      clientCertificate: 'till-7',
    },
  ]);
  engine.connects[0]?.succeed();
  t.ok(inside.calls.includes('relay'));
  t.notOk(client.calls.includes('relay'));
  engine.relays[0]?.end({ by: 'client', reason: 'closed' });
  t.match(records(), [
    {
      ...{ reason: 'closed', clientAddress: '192.0.2.1', serverName: 'shop.example', tlsVersion: 'TLSv1.3' },
      ...{ tlsCipher: 'TLS_AES_128_GCM_SHA256', tlsResumed: false, alpn: 'h2', clientCertificate: 'till-7' },
    },
  ]);
  t.same(handshakes(), [1, 0]);
});

void t.test('a resumed handshake is counted apart', async t => {
  const { connect, handshakes, failures } = await start();
  connect().handshake.succeed({ isResumed: true });
  t.same([handshakes(), failures()], [[0, 1], {}]);
});

void t.test('a gate that waits for the first byte looks inside of TLS', async t => {
  const { engine, connect } = await start({ tls: serverSettings(), firstByte: { timeout: 5_000 } });
  const { client, handshake } = connect();
  const inside = handshake.succeed();
  t.same([client.calls, engine.connects.length], [['unwatch'], 0]);
  inside.show('G');
  t.equal(engine.connects.length, 1);
});

void t.test('a header of a proxy in front comes before TLS', async t => {
  const acceptProxy = { from: ['192.0.2.1'], timeout: 5_000, required: true };
  const { tls, connect, records, engine } = await start({ tls: serverSettings(), acceptProxy });
  const { client } = connect();
  t.equal(tls.handshakes.length, 0);
  const header = 'PROXY TCP4 203.0.113.5 192.0.2.9 4711 443\r\n';
  client.show(`${header}\u0016`);
  t.ok(client.calls.includes(`take:${header.length}`));
  tls.handshakes[0]?.succeed();
  engine.connects[0]?.fail('refused');
  t.match(records(), [{ clientAddress: '203.0.113.5', proxyAddress: '192.0.2.1', tlsVersion: 'TLSv1.3' }]);
});

void t.test('a client that may stay in the clear goes on as it is', async t => {
  const { engine, connect, handshakes, records } = await start({
    tls: serverSettings({ starttls: 'postgres' }),
  });
  const { client, handshake } = connect();
  t.ok(handshake.opening);
  handshake.stayClear();
  engine.connects[0]?.succeed();
  t.ok(client.calls.includes('relay'));
  engine.relays[0]?.end({ by: 'client', reason: 'closed' });
  t.same(handshakes(), [0, 0]);
  t.notOk(records().some(record => 'tlsVersion' in record));
});

const ALERT = 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE';
const ENDS = [
  ['handshake', 'ERR_SSL_WRONG_VERSION_NUMBER', 'balancer', 'badHandshake'],
  ['handshake', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'client', 'badHandshake'],
  ['certificate', 'CERT_HAS_EXPIRED', 'balancer', 'badCertificate'],
  ['certificate', ALERT, 'client', 'badCertificate'],
  ['starttls', 'NOT_REQUESTED', 'balancer', 'noTls'],
  ['closed', 'ECONNRESET', 'client', 'closed'],
  ['reset', 'ECONNRESET', 'client', 'reset'],
] as const;

for (const [failure, code, by, reason] of ENDS) {
  void t.test(`a handshake that fails (${failure}, ${code}) ends its session once, by the ${by}`, async t => {
    const { engine, connect, records, refusals, failures, places } = await start();
    const { client, handshake } = connect();
    handshake.fail(failure, code);
    t.match(records(), [{ by, phase: 'admission', reason, backend: undefined }]);
    t.same([engine.connects.length, failures(), places()], [0, { [failure]: 1 }, 0]);
    t.notOk(client.calls.includes('reset'), 'the engine had it');
    const isRefusal = failure !== 'closed' && failure !== 'reset';
    t.match(refusals(), isRefusal ? [{ reason, code, clientAddress: '192.0.2.1', isDryRun: false }] : []);
    t.equal(refusals().length, Number(isRefusal));
  });
}

void t.test('a handshake has its time, and no more', async t => {
  const { clock, connect, records, failures, places } = await start({
    tls: serverSettings({ timeout: 3_000 }),
  });
  const { handshake } = connect();
  clock.advance(2_999);
  t.notOk(handshake.isCancelled);
  clock.advance(1);
  t.ok(handshake.isCancelled);
  t.match(records(), [{ by: 'balancer', phase: 'admission', reason: 'timeout' }]);
  t.same([failures(), places(), records().length], [{ timeout: 1 }, 0, 1]);
});

void t.test('while places are short, a handshake has a second', async t => {
  const { clock, connect, engine, tls, records } = await start({
    tls: serverSettings(),
    limits: { maxSessions: 2 },
  });
  const slow = connect();
  clock.advance(500);
  const late = connect();
  engine.listeners[0]!.client('192.0.2.3');
  t.equal(tls.handshakes.length, 2, 'the third client waits');
  clock.advance(500);
  t.same([slow.handshake.isCancelled, late.handshake.isCancelled], [true, false]);
  t.equal(tls.handshakes.length, 3);
  t.match(records(), [{ reason: 'timeout' }]);
});

void t.test('a session that lb4 ends gives its handshake up', async t => {
  const STOPPED = { by: 'balancer', phase: 'drain', reason: 'stopped' } as const;
  const { data, connect, records, failures, places } = await start();
  const by = {
    operator: () => data.endSessions({ limit: 10 }),
    'a stop': () => data.abortSessions(STOPPED),
  };
  const first = connect();
  await by.operator();
  const second = connect();
  by['a stop']();
  for (const { client, handshake } of [first, second]) {
    t.ok(handshake.isCancelled);
    t.notOk(client.calls.includes('reset'), 'the engine has it');
  }
  t.match(records(), [{ reason: 'operator', phase: 'admission' }, STOPPED]);
  t.same([records().length, failures(), places()], [2, {}, 0]);
});

void t.test('a thread that dies gives handshakes up, and accounts for them', async t => {
  const { data, connect, records } = await start();
  const { handshake } = connect();
  data.abandonSessions({ by: 'balancer', phase: 'relay', reason: 'workerDied' });
  t.ok(handshake.isCancelled);
  t.match(records(), [{ reason: 'workerDied' }]);
});

void t.test('a session that is ended after its handshake resets what is inside of TLS, once', async t => {
  const { data, connect, engine } = await start();
  const { client, handshake } = connect();
  const inside = handshake.succeed();
  await data.endSessions({ limit: 10 });
  t.equal(engine.connects[0]?.cancelled, true);
  t.same([inside.calls.filter(call => call === 'reset').length, client.calls.includes('reset')], [1, false]);
  t.notOk(handshake.isCancelled);
});

void t.test('terms are made anew only for settings that have changed, and sessions keep theirs', async t => {
  const before = (): TlsServerSettings => serverSettings({ alpn: ['h2'] });
  const { configure, connect, tls } = await start({ tls: before() });
  const old = connect().handshake;
  await configure({ tls: before(), timeouts: { idle: 1, halfClosed: 1, lifetime: 1, lifetimeJitter: 0 } });
  t.equal(tls.serverTermsMade.length, 1);
  await configure({ tls: serverSettings() });
  t.equal(tls.serverTermsMade.length, 2);
  t.same([old.terms.settings.alpn, connect().handshake.terms.settings.alpn], [['h2'], []]);
  await configure({});
  const plain = connect();
  t.equal(tls.handshakes.length, 2, 'without TLS there is no handshake');
  t.notOk(plain.client.calls.includes('reset'));
});

void t.test('an engine without TLS takes no plan that needs it', async t => {
  for (const plan of [{ needsTls: true }, { tls: serverSettings() }]) {
    const engine = new FakeEngine();
    const shared = new ControlledState({ slots: 8 });
    const now = (): number => 0;
    const data = new DataPlane({
      ...{ engine, shared, now, wallClock: now, setTimer: new FakeClock().setTimer },
      ledger: { sessionsEver: 0, sessionsAborted: 0 },
      wheel: new DeadlineWheel(now),
      slot: shared.slotOfInstance(),
      random: () => 0.5,
      report: () => undefined,
    });
    data.apply({ kind: 'upstream', upstream: upstreamPlan('app', {}, shared) });
    const listeners = [listenerPlan('web', { slot: shared.slotOfListener('web'), ...plan })];
    data.apply({
      kind: 'listeners',
      upstreams: [],
      listeners: { limits: { maxSessions: 1 }, slot: shared.slotOfInstance(), listeners },
    });
    await t.rejects(data.settled(), /listener web needs TLS, and the engine node has none/);
  }
});
