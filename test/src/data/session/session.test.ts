import t from 'tap';
import type { WhenUnavailable } from '../../../../src/model/listener-plan.ts';
import type { Termination } from '../../../../src/model/termination.ts';
import { FakeConnection } from '../../../harness/fake-engine.ts';
import { fakeSessions } from '../../../harness/fake-sessions.ts';
import { createFakeUpstream, type BackendSpec } from '../../../harness/fake-upstream.ts';

const A = '10.0.0.1:80';
const DRAINED: Termination = { by: 'balancer', phase: 'drain', reason: 'drainTimeout' };

interface Options {
  readonly backends?: Record<string, BackendSpec>;
  readonly whenUnavailable?: WhenUnavailable;
  readonly idleMs?: number;
  readonly halfClosedMs?: number;
  readonly lifetimeMs?: number;
  readonly lifetimeJitter?: number;
  readonly chance?: number;
}

/** A started session whose connects, relay and time the test moves. */
function start(options: Options = {}) {
  const { whenUnavailable = 'reset', idleMs = 600_000, halfClosedMs = 60_000, lifetimeMs = 0 } = options;
  const { lifetimeJitter = 0 } = options;
  const sessions = fakeSessions(
    () => createFakeUpstream(options.backends ?? { [A]: {} }),
    {
      whenUnavailable,
      timeouts: { idle: idleMs, halfClosed: halfClosedMs, lifetime: lifetimeMs, lifetimeJitter },
    },
    options.chance,
  );
  const { engine, now } = sessions;
  const opened = sessions.open();
  const connected = () => {
    const backend = engine.connects[0]?.succeed() ?? new FakeConnection();
    const relay = engine.relays[0];
    if (relay === undefined) throw new Error('the session does not relay');
    relay.lastActivityMs = now();
    return { backend, relay };
  };
  return { ...sessions, ...opened, connected };
}

void t.test('a session that both sides close is accounted for once, with everything known of it', async t => {
  const { connected, records, pass, live, wheel, now } = start();
  pass(3);
  const { relay } = connected();
  relay.bytesFromClient = 10;
  relay.bytesFromBackend = 2_000;
  pass(4);
  const firstByteMs = now();
  pass(36);
  relay.end({ by: 'backend', reason: 'closed', firstByteMs });
  t.same(records, [
    {
      id: 's1',
      listener: 'web',
      upstream: 'app',
      clientAddress: '192.0.2.7',
      clientPort: 50_000,
      localAddress: '192.0.2.99:80',
      backend: A,
      sourceAddress: '192.0.2.99:80',
      attempts: 1,
      tried: [A],
      warm: false,
      reused: false,
      startedAtMs: 1_700_000_000_000,
      durationMs: 43,
      connectMs: records[0]?.connectMs,
      firstByteMs: 4,
      bytesFromClient: 10,
      bytesFromBackend: 2_000,
      by: 'backend',
      phase: 'relay',
      reason: 'closed',
    },
  ]);
  t.equal(live(A), 0, 'its lease is released');
  t.equal(wheel.size, 0, 'and no deadline is left');
});

void t.test(
  'the engine is asked to hand back clean connections, and to find stale ones, only where it may',
  t => {
    const { connected } = start();
    const { relay } = connected();
    t.strictSame(relay.options, {});
    t.notOk(relay.takesStale, 'a new connection cannot be stale');
    t.end();
  },
);

void t.test('nothing is read from or written to the client before a backend is connected', async t => {
  const { client, connected } = start();
  t.same(client.calls, []);
  connected();
  t.same(client.calls, ['relay']);
});

void t.test('a reset by either side is what the record says', async t => {
  for (const by of ['client', 'backend'] as const) {
    const { connected, records } = start();
    connected().relay.end({ by, reason: 'reset' });
    t.match(records, [{ by, phase: 'relay', reason: 'reset' }]);
  }
});

void t.test('when no backend can be had, the client is told as configured', async t => {
  const cases: [WhenUnavailable, RegExp][] = [
    ['reset', /^reset$/],
    ['close', /^finish$/],
    ['http503', /^finish:HTTP\/1\.1 503 Service Unavailable\r\n.*Connection: close\r\n\r\nNo backend/s],
  ];
  for (const [whenUnavailable, expected] of cases) {
    const { client, engine, records } = start({ whenUnavailable });
    engine.connects[0]?.fail('refused');
    t.match(client.calls, [expected], whenUnavailable);
    t.match(records, [{ by: 'backend', phase: 'connect', reason: 'refused', backend: A, attempts: 1 }]);
  }
});

void t.test('the canned response states its own length', async t => {
  const { client } = start({ backends: {}, whenUnavailable: 'http503' });
  const [head = '', body = ''] = (client.calls[0] ?? '').split('\r\n\r\n');
  t.equal(Number(/Content-Length: (\d+)/.exec(head)?.[1]), Buffer.byteLength(body));
});

void t.test('a session without traffic for `timeouts.idle` is reset', async t => {
  const { connected, pass, records } = start({ idleMs: 5_000 });
  const { relay } = connected();
  pass(4_900);
  t.notOk(relay.aborted);
  pass(200);
  t.match(records, [{ by: 'balancer', phase: 'relay', reason: 'idle' }]);
});

void t.test('traffic puts the idle timeout off', async t => {
  const { connected, pass, now, records } = start({ idleMs: 5_000 });
  const { relay } = connected();
  for (let i = 0; i < 5; i++) {
    pass(4_000);
    relay.lastActivityMs = now();
  }
  t.same(records, []);
  pass(5_200);
  t.match(records, [{ reason: 'idle' }]);
});

void t.test(
  'once one direction has ended, the shorter halfClosed timeout counts from the last byte on',
  async t => {
    const { connected, pass, records, now } = start({ idleMs: 600_000, halfClosedMs: 2_000 });
    const { relay } = connected();
    pass(100_000);
    relay.lastActivityMs = now();
    relay.halfClose();
    pass(1_500);
    relay.lastActivityMs = now();
    pass(1_500);
    t.same(records, [], 'a byte in the other direction has put it off');
    pass(700);
    t.match(records, [{ by: 'balancer', phase: 'relay', reason: 'halfClosed' }]);
  },
);

for (const silence of ['idle', 'halfClosed'] as const) {
  const begin = () => {
    const session = start({ idleMs: 4_000, halfClosedMs: 4_000 });
    const { relay } = session.connected();
    if (silence === 'halfClosed') relay.halfClose();
    return { ...session, relay };
  };

  void t.test(`a receiver that still takes bytes puts ${silence} off, one that stands still does not`, t => {
    const { relay, pass, now, records } = begin();
    // So much is taken every 900 ms, and no byte comes from either side.
    let isTaking = true;
    let lastTakenMs = now();
    relay.onLook = () => {
      if (isTaking && now() - lastTakenMs >= 900) relay.lastActivityMs = lastTakenMs = now();
      return 'bytes';
    };
    pass(60_000);
    t.same(records, []);
    isTaking = false;
    pass(3_900);
    t.same(records, [], 'the whole time counts from what was taken last');
    pass(1_300);
    t.match(records, [{ by: 'balancer', phase: 'relay', reason: silence }]);
    t.end();
  });

  void t.test(`${silence} waits for an answer that is on its way`, t => {
    const { relay, pass, records } = begin();
    relay.onLook = () => 'unknown';
    pass(20_000);
    t.same(records, []);
    relay.onLook = () => 'bytes';
    pass(1_100);
    t.match(records, [{ reason: silence }]);
    t.end();
  });

  void t.test(`a session with nothing on its way is looked at twice before ${silence} ends it`, t => {
    const { relay, pass, records } = begin();
    let looks = 0;
    relay.onLook = () => {
      looks += 1;
      return 'nothing';
    };
    pass(4_100);
    t.match(records, [{ reason: silence }]);
    t.equal(looks, 2);
    t.end();
  });
}

void t.test('a session ends at `timeouts.lifetime` however busy it is', async t => {
  const { connected, pass, now, records } = start({ lifetimeMs: 10_000 });
  const { relay } = connected();
  for (let i = 0; i < 99; i++) {
    pass(100);
    relay.lastActivityMs = now();
  }
  t.same(records, []);
  pass(300);
  t.match(records, [{ by: 'balancer', phase: 'relay', reason: 'lifetime' }]);
});

void t.test('jitter lengthens a lifetime at random, and once for each session', async t => {
  // Chance draws a half.
  const { connected, pass, now, records } = start({ lifetimeMs: 10_000, lifetimeJitter: 20, chance: 0.5 });
  const { relay } = connected();
  for (let i = 0; i < 109; i++) {
    pass(100);
    relay.lastActivityMs = now();
  }
  t.same(records, []);
  pass(300);
  t.match(records, [{ by: 'balancer', phase: 'relay', reason: 'lifetime' }]);
});

void t.test('timeouts of 0 never come', async t => {
  const { connected, pass, records, wheel } = start({ idleMs: 0, halfClosedMs: 0 });
  connected().relay.halfClose();
  pass(700_000);
  t.same(records, []);
  t.equal(wheel.size, 0);
});

void t.test(
  'an abort while connecting cancels the connect, resets the client and frees the backend',
  async t => {
    const { session, engine, client, records, live } = start();
    session.abort(DRAINED);
    t.ok(engine.connects[0]?.cancelled);
    t.same(client.calls, ['reset']);
    t.match(records, [{ ...DRAINED, backend: A, attempts: 1 }]);
    t.equal(live(A), 0);
  },
);

void t.test('an abort while relaying resets both sides, for the reason given', async t => {
  const { session, connected, records } = start();
  const { relay } = connected();
  session.abort(DRAINED);
  t.ok(relay.aborted);
  t.match(records, [{ ...DRAINED, backend: A, attempts: 1 }]);
});

void t.test('an abort after the end changes nothing', async t => {
  const { session, connected, records } = start();
  connected().relay.end({ by: 'client', reason: 'closed' });
  session.abort(DRAINED);
  t.match(records, [{ reason: 'closed' }]);
  t.equal(records.length, 1);
});
