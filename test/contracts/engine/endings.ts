/**
 * The part of the engine suite about orderly ends: FINs early, late, and behind much data.
 */
import type { Test } from 'tap';

import { scripts, startBackend } from '../../harness/backend.ts';
import { connectClient } from '../../harness/client.ts';
import { pause, until } from '../../harness/until.ts';
import { connected, join, listen, startRelay, STOPPED_CLOCK, type CreateEngine } from './fixture.ts';

const MIB = 1024 * 1024;

export function endingsContract(t: Test, createEngine: CreateEngine): void {
  const engine = createEngine({ clock: STOPPED_CLOCK });

  void t.test('a client that half-closes still gets its answer', async t => {
    const { client, ended } = await join(t, engine, scripts.answerAfterFin('the answer'));
    await client.send('the question');
    client.halfClose();
    t.equal(await client.untilEnded(), 'fin');
    t.equal(client.text, 'the answer');
    t.match(await ended(), { by: 'client', reason: 'closed' });
  });

  void t.test('a backend that half-closes still gets what the client sends', async t => {
    const { client, backend, ended } = await join(t, engine);
    await backend.send('goodbye');
    backend.halfClose();
    t.equal(await client.untilEnded(), 'fin');
    await client.send('last words');
    client.halfClose();
    t.equal(await backend.untilEnded(), 'fin');
    t.equal(backend.text, 'last words');
    t.match(await ended(), { by: 'backend', reason: 'closed' });
  });

  for (const watched of [false, true]) {
    const how = watched ? 'and a watch has seen it' : 'unseen';
    void t.test(`a client that half-closed before the backend was connected is served (${how})`, async t => {
      const backend = await startBackend(t, scripts.answerAfterFin('the answer'));
      const { listener, clients } = await listen(t, engine);
      const client = await connectClient(t, listener.address);
      await client.send('printf q | nc');
      client.halfClose();
      await until('the client is accepted', () => clients.length === 1);
      const changes: string[] = [];
      if (watched) {
        clients[0]?.watch(change => changes.push(change));
        await until('its FIN is seen', () => changes.includes('dead'));
        clients[0]?.unwatch();
      } else {
        await pause(30);
      }
      const { ended } = startRelay(t, engine, clients[0]!, await connected(t, engine, backend.address));
      t.equal(await client.untilEnded(), 'fin');
      t.equal(client.text, 'the answer');
      t.equal(backend.peers[0]?.text, 'printf q | nc');
      t.match(await ended(), {
        by: 'client',
        reason: 'closed',
        bytesFromClient: 13,
        bytesFromBackend: 10,
      });
    });
  }

  void t.test('8 MB, then close: a slow reader gets all of it, then the FIN', async t => {
    const bytes = 8 * MIB;
    const { client, backend, ended } = await join(t, engine);
    client.stall();
    backend.socket.end(Buffer.alloc(bytes, 'lb4'));
    backend.socket.once('finish', () => backend.halfClose());
    await pause(50);
    client.readSlowly(64 * 1024, 3);
    t.equal(await client.untilEnded(), 'fin');
    t.equal(client.receivedBytes, bytes);
    client.halfClose();
    t.match(await ended(), { by: 'backend', reason: 'closed', bytesFromBackend: bytes });
  });

  void t.test('an empty session ends with the first FIN of either side', async t => {
    for (const by of ['client', 'backend'] as const) {
      const joined = await join(t, engine);
      const [first, second] =
        by === 'client' ? [joined.client, joined.backend] : [joined.backend, joined.client];
      first.halfClose();
      t.equal(await second.untilEnded(), 'fin');
      second.halfClose();
      t.match(await joined.ended(), { by, reason: 'closed', bytesFromClient: 0, bytesFromBackend: 0 });
    }
  });

  void t.test('a FIN counts as activity, so the wait for the other side starts with it', async t => {
    const clock = { nowMs: 1000 };
    const { client, backend, relay } = await join(t, createEngine({ clock }));
    clock.nowMs = 9000;
    client.halfClose();
    await backend.untilEnded();
    t.equal(relay.lastActivityMs, 9000);
  });

  void t.test('abort resets both sides at once', async t => {
    const { client, backend, relay, ended, outcome } = await join(t, engine);
    await client.send('hello');
    await backend.untilText('hello');
    relay.abort();
    relay.abort();
    t.equal(await client.untilEnded(), 'reset');
    t.equal(await backend.untilEnded(), 'reset');
    t.match(await ended(), { by: 'balancer', reason: 'aborted', bytesFromClient: 5 });
    relay.abort();
    t.match(outcome(), { reason: 'aborted' });
  });

  void t.test('abort does not wait for a client that does not read', async t => {
    const { client, backend, relay, ended } = await join(t, engine);
    client.stall();
    void backend.send(Buffer.alloc(16 * MIB));
    backend.halfClose();
    await until('bytes are under way', () => relay.bytesFromBackend > MIB);
    relay.abort();
    t.match(await ended(), { reason: 'aborted' });
    client.read();
    t.equal(await client.untilEnded(), 'reset');
  });

  void t.test('abort while a FIN is on its way leaves nothing open', async t => {
    for (let round = 0; round < 20; round++) {
      const { client, backend, relay, ended } = await join(t, engine);
      client.halfClose();
      await until('the FIN is seen', () => relay.halfClosed);
      relay.abort();
      t.match(await ended(), { reason: 'aborted' });
      await until('both are over', () => client.ending === 'reset' && backend.ending !== undefined);
    }
  });
}
