/** What a session that runs shows of itself, and how it ends with a thread that dies. */
import t from 'tap';
import { fakeSessions } from '../../../harness/fake-sessions.ts';
import { createFakeUpstream } from '../../../harness/fake-upstream.ts';

const A = '10.0.0.1:80';
const DIED = { by: 'balancer', phase: 'relay', reason: 'workerDied' } as const;

/** Sessions over one backend that has room for one. */
function sessions() {
  return fakeSessions(
    now => createFakeUpstream({ [A]: { maxSessions: 1 } }, { now, queue: { max: 5, timeout: 5_000 } }),
    {
      whenUnavailable: 'reset',
      timeouts: { idle: 600_000, halfClosed: 60_000, lifetime: 0, lifetimeJitter: 0 },
    },
  );
}

void t.test('a session shows where it is on its way, and what has moved', async t => {
  const { open, engine, pass } = sessions();
  const { session } = open();
  const waiting = open().session;
  t.match(session.view(), {
    ...{ id: 's1', listener: 'web', upstream: 'app', backend: A, phase: 'connect' },
    ...{ clientAddress: '192.0.2.7', clientPort: 50_000, startedAtMs: 1_700_000_000_000 },
    ...{ bytesFromClient: 0, bytesFromBackend: 0 },
  });
  t.match(waiting.view(), { id: 's2', backend: undefined, phase: 'queue' });
  t.same([session.servedBy, session.isConnecting], [undefined, true]);
  t.equal(session.lastActivityMs, Infinity);
  pass(500);
  engine.connects[0]?.succeed();
  const relay = engine.relays[0];
  t.ok(relay);
  if (relay === undefined) return;
  relay.bytesFromClient = 7;
  relay.bytesFromBackend = 9;
  relay.lastActivityMs = 1_500;
  t.match(session.view(), {
    ...{ phase: 'relay', bytesFromClient: 7, bytesFromBackend: 9 },
    startedAtMs: 1_700_000_000_000,
  });
  t.same([session.servedBy, session.isConnecting, session.lastActivityMs], [A, false, 1_500]);
  relay.end({ by: 'client', reason: 'closed' });
  t.equal(session.lastActivityMs, undefined);
});

void t.test('a session of a dying thread is reset and accounted for at once, once', async t => {
  const { open, engine, records } = sessions();
  const { session } = open();
  engine.connects[0]?.succeed();
  const relay = engine.relays[0];
  if (relay !== undefined) relay.bytesFromClient = 3;
  session.abandon(DIED);
  t.match(records, [{ ...DIED, bytesFromClient: 3 }]);
  session.abandon(DIED);
  t.equal(session.abort(DIED), false);
  t.equal(records.length, 1);
});

void t.test('one that still connects is reset and accounted for, too', async t => {
  const { open, records } = sessions();
  const { client, session } = open();
  session.abandon(DIED);
  t.match(records, [{ ...DIED, backend: A, bytesFromClient: 0 }]);
  t.same(client.calls, ['reset']);
});
