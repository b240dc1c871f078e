/**
 * The part of the engine suite about `reuse`: a backend's connection that a client left clean is handed back,
 * and no other.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Test } from 'tap';

import { scripts, startBackend } from '../../harness/backend.ts';
import type { Peer } from '../../harness/peer.ts';
import { pause, until, untilSteady } from '../../harness/until.ts';
import type { RelayOutcome } from '../../../src/engine/engine.ts';
import type { Address } from '../../../src/support/address.ts';
import {
  connected,
  FAMILIES,
  hasFamily,
  listen,
  startRelay,
  STOPPED_CLOCK,
  type CreateEngine,
} from './fixture.ts';
import { exchange, joinForReuse, leaveClean, type Reusing } from './reuse-fixture.ts';

const MIB = 1024 * 1024;

export function reuseContract(t: Test, createEngine: CreateEngine): void {
  const engine = createEngine({ clock: STOPPED_CLOCK });

  /** The FIN of the client was passed on, and the backend's own ends the session. */
  async function endsAsUsual(t: Test, { backend, ended }: Reusing): Promise<RelayOutcome> {
    t.equal(await backend.untilEnded(), 'fin');
    backend.halfClose();
    const outcome = await ended();
    t.match(outcome, { by: 'client', reason: 'closed' });
    t.notOk('cleanBackend' in outcome);
    return outcome;
  }

  for (const family of FAMILIES) {
    void t.test(`one backend connection serves client after client (${family})`, async t => {
      if (!(await hasFamily(t, family))) return;
      const { client, backend, backendConnection, ended, again } = await joinForReuse(
        t,
        engine,
        scripts.echo,
        family,
      );
      let next = { client, ended };
      for (let bytes = 1; bytes < 5; bytes++) {
        const text = 'x'.repeat(bytes);
        await next.client.send(text);
        await next.client.untilText(text);
        next.client.halfClose();
        t.equal(await next.client.untilEnded(), 'fin', 'its FIN is answered');
        t.match(await next.ended(), {
          by: 'client',
          reason: 'closed',
          bytesFromClient: bytes,
          bytesFromBackend: bytes,
          cleanBackend: backendConnection,
        });
        t.equal(next.client.text, text, 'it got what was its own');
        next = await again(backendConnection);
      }
      await pause(30);
      t.equal(backend.ending, undefined, 'the backend has noticed nothing');
      t.equal(backend.text, 'x'.repeat(10));
    });
  }

  void t.test('a connection that nobody said a word on is clean', async t => {
    const { client, backend, backendConnection, ended } = await joinForReuse(t, engine);
    client.halfClose();
    t.equal((await ended()).cleanBackend, backendConnection);
    await pause(30);
    t.equal(backend.ending, undefined);
  });

  void t.test('a client that had been told a long answer gets all of it', async t => {
    const { client, backend, ended, backendConnection } = await joinForReuse(t, engine);
    await client.send('question');
    await backend.untilText('question');
    void backend.send(Buffer.alloc(8 * MIB, 'lb4'));
    await client.untilBytes(8 * MIB);
    client.halfClose();
    t.equal((await ended()).cleanBackend, backendConnection);
    t.equal(client.receivedBytes, 8 * MIB);
  });

  void t.test('a byte of the backend on a connection handed back is told to whoever watches it', async t => {
    const reusing = await joinForReuse(t, engine);
    const clean = await leaveClean(t, reusing);
    const changes: string[] = [];
    clean.watch(change => changes.push(change));
    await pause(20);
    t.strictSame(changes, []);
    await reusing.backend.send('too late');
    await until('it is told', () => changes.length > 0);
    t.strictSame(changes, ['readable']);
    clean.reset();
    t.equal(await reusing.backend.untilEnded(), 'reset');
    t.equal(reusing.client.text, 'answer!');
  });

  for (const [ending, play] of [
    ['half-closes', (peer: Peer) => peer.halfClose()],
    ['resets', (peer: Peer) => peer.reset()],
  ] as const) {
    void t.test(`a connection handed back is dead when its backend ${ending}`, async t => {
      const reusing = await joinForReuse(t, engine);
      const clean = await leaveClean(t, reusing);
      const changes: string[] = [];
      clean.watch(change => changes.push(change));
      play(reusing.backend);
      await until('it is told', () => changes.length > 0);
      t.strictSame(changes, ['dead']);
    });
  }

  void t.test('a client that leaves with an unanswered request still gets its answer', async t => {
    const reusing = await joinForReuse(t, engine);
    await exchange(reusing);
    await reusing.client.send(' one more');
    reusing.client.halfClose();
    await reusing.backend.untilText('question one more');
    t.equal(await reusing.backend.untilEnded(), 'fin');
    await reusing.backend.send(' the second');
    await endsAsUsual(t, reusing);
    t.equal(await reusing.client.untilEnded(), 'fin');
    t.equal(reusing.client.text, 'answer! the second');
  });

  void t.test('a greeting that the client did not answer belongs to it: the next would miss it', async t => {
    const reusing = await joinForReuse(t, engine, scripts.greet('220 hello'));
    await reusing.client.untilText('220 hello');
    reusing.client.halfClose();
    await endsAsUsual(t, reusing);
  });

  void t.test('what a slow backend has not taken yet counts as the last word, whatever it says', async t => {
    const reusing = await joinForReuse(t, engine);
    const { client, backend, relay } = reusing;
    backend.stall();
    void client.send(Buffer.alloc(16 * MIB));
    client.halfClose();
    await until('bytes are under way', () => relay.bytesFromClient > MIB);
    await backend.send('busy');
    await client.untilText('busy');
    backend.read();
    await endsAsUsual(t, reusing);
    t.equal(backend.receivedBytes, 16 * MIB);
  });

  void t.test('a client that has not taken its answer is waited for, and ends as usual', async t => {
    const reusing = await joinForReuse(t, engine);
    const { client, backend, relay } = reusing;
    await exchange(reusing);
    client.stall();
    void backend.send(Buffer.alloc(32 * MIB));
    await untilSteady('what the relay has taken', () => relay.bytesFromBackend);
    client.halfClose();
    t.equal(await backend.untilEnded(), 'fin');
    backend.halfClose();
    client.read();
    await endsAsUsual(t, reusing);
    t.equal(await client.untilEnded(), 'fin');
    t.equal(client.receivedBytes, 32 * MIB + 7);
  });

  void t.test('a backend that has ended is not handed back', async t => {
    const { client, backend, ended, ...reusing } = await joinForReuse(t, engine);
    await exchange({ client, backend, ...reusing });
    backend.halfClose();
    t.equal(await client.untilEnded(), 'fin');
    client.halfClose();
    const outcome = await ended();
    t.match(outcome, { by: 'backend', reason: 'closed' });
    t.notOk('cleanBackend' in outcome);
    t.equal(await backend.untilEnded(), 'fin');
  });

  void t.test('a backend that ends in the same moment as the client is not handed back', async t => {
    const { client, backend, ended, ...reusing } = await joinForReuse(t, engine);
    await exchange({ client, backend, ...reusing });
    backend.halfClose();
    client.halfClose();
    t.notOk('cleanBackend' in (await ended()));
    t.equal(await backend.untilEnded(), 'fin');
  });

  void t.test(
    'a backend that resets in the same moment is not handed back, and the client is told',
    async t => {
      const { client, backend, ended, ...reusing } = await joinForReuse(t, engine);
      await exchange({ client, backend, ...reusing });
      backend.reset();
      client.halfClose();
      const outcome = await ended();
      t.match(outcome, { by: 'backend', reason: 'reset' });
      t.notOk('cleanBackend' in outcome);
      t.equal(await client.untilEnded(), 'reset');
    },
  );

  void t.test('a client that resets leaves nothing clean', async t => {
    const reusing = await joinForReuse(t, engine);
    await exchange(reusing);
    reusing.client.reset();
    t.equal(await reusing.backend.untilEnded(), 'reset');
    const outcome = await reusing.ended();
    t.match(outcome, { by: 'client', reason: 'reset' });
    t.notOk('cleanBackend' in outcome);
  });

  void t.test('abort resets the backend, also while the client leaves it clean', async t => {
    for (const leaving of [false, true]) {
      const reusing = await joinForReuse(t, engine);
      await exchange(reusing);
      if (leaving) {
        reusing.client.halfClose();
        await until('the client leaves', () => reusing.relay.halfClosed || reusing.outcome() !== undefined);
      }
      reusing.relay.abort();
      const outcome = await reusing.ended();
      if (outcome.cleanBackend !== undefined) continue;
      t.match(outcome, { by: 'balancer', reason: 'aborted' });
      t.equal(await reusing.backend.untilEnded(), 'reset');
    }
  });

  void t.test(
    'a byte that is with the kernel behind the FIN, before either is seen, reaches its client',
    async t => {
      const backend = await startBackend(t);
      const { listener, clients } = await listen(t, engine);
      const leaves = new Int32Array(new SharedArrayBuffer(4));
      const text = clientInAnotherThread(listener.address, leaves);
      await until('the client is accepted', () => clients.length === 1);
      const backendConnection = await connected(t, engine, backend.address);
      const { outcome } = startRelay(t, engine, clients[0]!, backendConnection, { reuse: true });
      const peer = await backend.next();
      await peer.untilText('question');
      await peer.send('answer!');
      await until('the client is about to leave', () => Atomics.load(leaves, 0) === 1);
      // This thread, and the engine with it, stands still while the client leaves.
      Atomics.wait(leaves, 0, 1, 100);
      await peer.send('straggler');
      await until('one way or the other', () => outcome() !== undefined || peer.ending !== undefined);
      peer.halfClose();
      t.equal(await text, 'answer!straggler');
    },
  );

  void t.test('a byte around the FIN reaches its client, or keeps the connection from any other', async t => {
    const moments: readonly ((then: () => void) => void)[] = [
      then => then(),
      then => process.nextTick(then),
      then => setImmediate(then),
      then => setImmediate(() => setImmediate(then)),
      then => setImmediate(() => setImmediate(() => setImmediate(then))),
      then => setTimeout(then, 2),
    ];
    for (let round = 0; round < 3 * moments.length; round++) {
      const reusing = await joinForReuse(t, engine);
      const { client, backend, ended, outcome } = reusing;
      await exchange(reusing);
      // In the first round both are with the kernel before the engine can look.
      client.halfClose();
      moments[round % moments.length]!(() => void backend.send('straggler'));
      await until('one way or the other', () => outcome() !== undefined || backend.ending !== undefined);
      if (backend.ending !== undefined) {
        await endsAsUsual(t, reusing);
        await client.untilText('answer!straggler');
        continue;
      }
      const { cleanBackend } = await ended();
      const changes: string[] = [];
      cleanBackend?.watch(change => changes.push(change));
      if (client.ending === undefined) await client.untilEnded();
      if (!client.text.includes('straggler')) await until('it is told', () => changes.length > 0);
      else await pause(10);
      t.strictSame(changes, client.text === 'answer!' ? ['readable'] : []);
      if (round % moments.length === 0) t.equal(client.text, 'answer!straggler');
    }
  });
}

/** Asks, takes the first answer, says in `leaves` that it will leave, and does; resolves to all it was told. */
async function clientInAnotherThread(address: Address, leaves: Int32Array): Promise<string> {
  const program = `
    const { parentPort, workerData: { address, leaves } } = require('node:worker_threads');
    const socket = require('node:net').connect({ ...address, allowHalfOpen: true });
    let text = '';
    socket.write('question');
    socket.once('data', () => {
      Atomics.store(leaves, 0, 1);
      setTimeout(() => socket.end(), 20);
    });
    socket.on('data', chunk => { text += chunk; });
    socket.on('close', () => parentPort.postMessage(text));`;
  const worker = new Worker(program, { eval: true, workerData: { address, leaves } });
  const [text]: unknown[] = await once(worker, 'message');
  return String(text);
}
