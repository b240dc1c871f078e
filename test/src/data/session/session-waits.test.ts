import t from 'tap';
import { relayEnd } from '../../../harness/dispatch-deps.ts';
import { fakeSessions } from '../../../harness/fake-sessions.ts';
import { createFakeUpstream } from '../../../harness/fake-upstream.ts';

const A = '10.0.0.1:80';

/** A session that waits, because another one has the only place. */
function waiting() {
  const sessions = fakeSessions(
    () => createFakeUpstream({ [A]: { maxSessions: 1 } }, { queue: { max: 10 } }),
    { whenUnavailable: 'http503', timeouts: { idle: 0, halfClosed: 0, lifetime: 0, lifetimeJitter: 0 } },
  );
  const { engine, open } = sessions;
  open();
  engine.connects[0]?.succeed();
  return { ...sessions, ...open(), free: () => engine.relays[0]?.end(relayEnd(false)) };
}

void t.test('nothing is read from a client while its session waits; then it is relayed', async t => {
  const { client, engine, free } = waiting();
  t.same(client.calls, ['watch']);
  client.send();
  free();
  engine.connects[1]?.succeed();
  t.same(client.calls, ['watch', 'unwatch', 'relay']);
});

void t.test('a client that resets takes its session out of the line', async t => {
  const { client, records, inQueue, free, engine } = waiting();
  client.die('reset');
  t.match(records, [{ by: 'client', phase: 'queue', reason: 'reset', attempts: 0, backend: undefined }]);
  t.same(client.calls, ['watch', 'unwatch', 'reset']);
  t.equal(inQueue(), 0);
  free();
  t.equal(engine.connects.length, 1, 'and nobody connects for it');
});

void t.test('a client that has only finished sending keeps its place', async t => {
  const { client, records, engine, free } = waiting();
  client.die('fin');
  t.same(records, []);
  free();
  engine.connects[1]?.succeed();
  t.same(client.calls, ['watch', 'unwatch', 'relay']);
});

void t.test('a session that lb4 ends while it waits is reset and counted out', async t => {
  const { session, client, records, inQueue } = waiting();
  session.abort({ by: 'balancer', phase: 'drain', reason: 'stopped' });
  t.match(records, [{ by: 'balancer', phase: 'drain', reason: 'stopped' }]);
  t.same(client.calls, ['watch', 'unwatch', 'reset']);
  t.equal(inQueue(), 0);
});

void t.test('a session that waits in vain is refused as its listener says', async t => {
  const { apply, client, records } = waiting();
  apply({ [A]: { eligible: false } });
  t.match(client.calls.at(-1), /^finish:HTTP\/1.1 503/);
  t.match(records, [{ by: 'balancer', phase: 'connect', reason: 'noBackend' }]);
});
