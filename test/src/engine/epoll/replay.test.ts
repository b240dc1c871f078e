/** Sessions that start over, or must not, because a parked backend connection was dead. */
import t, { type Test } from 'tap';

import { createEpollEngine } from '../../../../src/engine/epoll/epoll-engine.ts';
import { EpollConnection } from '../../../../src/engine/epoll/epoll-connection.ts';
import { loadLibc } from '../../../../src/linux/libc.ts';
import { REPLAY_LIMIT_BYTES } from '../../../../src/engine/epoll/replay.ts';
import type { Connection, RelayHandlers, RelayOutcome } from '../../../../src/engine/engine.ts';
import { connected, listen } from '../../../contracts/engine/fixture.ts';
import { startBackend, type Backend } from '../../../harness/backend.ts';
import { connectClient } from '../../../harness/client.ts';
import type { Peer } from '../../../harness/peer.ts';
import { descriptorOf, lose } from '../../../harness/segments.ts';
import { pause, until } from '../../../harness/until.ts';

const loaded = loadLibc();
if (!loaded.ok) t.pass(`skipped: ${loaded.reason}`, { skip: true });

const IPPROTO_TCP = 6;
const TCP_QUICKACK = 12;
const TCP_USER_TIMEOUT = 18;
const OFF = Buffer.alloc(4);

interface Parked {
  readonly backend: Backend;
  /** The backend's end of the parked connection. */
  readonly peer: Peer;
  readonly parked: Connection;
  readonly parkedFd: number;
  readonly client: Peer;
  readonly accepted: Connection;
}

interface Tried {
  readonly stale: () => boolean;
  readonly outcome: () => RelayOutcome | undefined;
}

if (loaded.ok) {
  const { libc } = loaded;
  // The scripted peers live in this thread too: a wait must not keep them from answering.
  const engine = createEpollEngine({
    libc,
    now: () => performance.now(),
    clock: { nowMs: 0 },
    ceilingMs: 1,
  });

  /** A connection to a backend, parked after `served` requests, and a client. */
  async function park(t: Test, served = 0): Promise<Parked> {
    const backend = await startBackend(t);
    const { listener, clients } = await listen(t, engine);
    const parked = await connected(t, engine, backend.address);
    const peer = await backend.next();
    const nextClient = async (): Promise<{ client: Peer; accepted: Connection }> => {
      const before = clients.length;
      const client = await connectClient(t, listener.address);
      await until('the client is accepted', () => clients.length > before);
      return { client, accepted: clients[before]! };
    };
    for (let i = 0; i < served; i++) {
      const { client, accepted } = await nextClient();
      let over = false;
      engine.relay(
        accepted,
        parked,
        { onHalfClosed: () => undefined, onEnd: () => (over = true) },
        { reuse: true },
      );
      await client.send('question');
      await until('it is asked', () => peer.receivedBytes === 8 * (i + 1));
      await peer.send('answer');
      await client.untilText('answer');
      client.halfClose();
      await until('the connection is handed back', () => over);
    }
    if (!(parked instanceof EpollConnection)) throw new Error('not of this engine');
    return { backend, peer, parked, parkedFd: parked.fd, ...(await nextClient()) };
  }

  /** Relays with leave to say that it was stale. */
  function attempt(t: Test, client: Connection, backend: Connection, preface = ''): Tried {
    let stale = 0;
    let outcome: RelayOutcome | undefined;
    const handlers: RelayHandlers = {
      onHalfClosed: () => undefined,
      onEnd: result => {
        if (outcome !== undefined || stale > 0) t.fail('the relay has ended twice');
        outcome = result;
      },
      onStale: () => {
        if (outcome !== undefined || stale > 0) t.fail('the relay has ended twice');
        stale++;
      },
    };
    const relay = engine.relay(client, backend, handlers, { preface: Buffer.from(preface) });
    t.teardown(() => {
      if (stale === 0) relay.abort();
    });
    return { stale: () => stale > 0, outcome: () => outcome };
  }

  /** The session goes on with a fresh connection. */
  async function startOver(
    t: Test,
    { backend, accepted }: Parked,
    preface = '',
  ): Promise<{ peer: Peer } & Tried> {
    const fresh = await connected(t, engine, backend.address);
    return { ...attempt(t, accepted, fresh, preface), peer: await backend.next() };
  }

  /**
   * The client's bytes and the end of the backend's connection are with the kernel before the engine looks; the
   * bytes are seen first. The thread of the engine is this one, so that nothing comes in between.
   */
  function speakThenEnd(parked: Parked, text: string, end: () => void): void {
    const sent = libc.send(descriptorOf(parked.client.socket), Buffer.from(text), text.length, 0);
    if (sent !== text.length) throw new Error('not sent');
    end();
  }

  const closeNow = ({ peer }: Parked) => {
    // A close at once, with nothing unread: a FIN.
    libc.shutdown(descriptorOf(peer.socket), 2);
  };

  for (const served of [0, 2]) {
    const which = served === 0 ? 'never used' : `that has served ${served} clients`;

    void t.test(`a FIN under way when the first bytes are written, on a connection ${which}`, async t => {
      const parked = await park(t, served);
      const tried = attempt(t, parked.accepted, parked.parked);
      await pause(5);
      speakThenEnd(parked, 'once and whole', () => closeNow(parked));
      await until('the relay is over', () => tried.stale() || tried.outcome() !== undefined);
      t.ok(tried.stale(), 'it was stale');
      const { peer, outcome } = await startOver(t, parked);
      await peer.untilText('once and whole');
      await parked.client.send(', and more');
      await peer.untilText('once and whole, and more');
      await peer.send('answer');
      await parked.client.untilText('answer');
      t.equal(peer.text, 'once and whole, and more', 'exactly once');
      t.equal(parked.peer.receivedBytes, 8 * served, 'the first backend got nothing');
      parked.client.halfClose();
      peer.halfClose();
      await until('it ends', () => outcome() !== undefined);
      t.match(outcome(), { bytesFromClient: 24, bytesFromBackend: 6 }, 'every byte counts once');
    });

    void t.test(`a reset is no proof when the backend may have read the bytes, ${which}`, async t => {
      const parked = await park(t, served);
      libc.setsockopt(descriptorOf(parked.peer.socket), IPPROTO_TCP, TCP_QUICKACK, OFF, OFF.length);
      const tried = attempt(t, parked.accepted, parked.parked);
      await pause(5);
      const had = parked.peer.receivedBytes;
      parked.peer.socket.once('data', () => parked.peer.reset());
      await parked.client.send('act on this');
      await until('the relay is over', () => tried.stale() || tried.outcome() !== undefined);
      t.equal(parked.peer.receivedBytes, had + 11, 'the backend has read it');
      t.notOk(tried.stale());
      t.match(tried.outcome(), { by: 'backend', reason: 'reset' });
      t.equal(await parked.client.untilEnded(), 'reset');
    });

    void t.test(
      `a connection dead before the relay, ${which}, is stale while the client is silent`,
      async t => {
        for (const end of [(peer: Peer) => peer.halfClose(), (peer: Peer) => peer.reset()]) {
          const parked = await park(t, served);
          end(parked.peer);
          await pause(10);
          const tried = attempt(t, parked.accepted, parked.parked);
          t.notOk(tried.stale(), 'not before the call has returned');
          await until('it is noticed', () => tried.stale());
          const { peer } = await startOver(t, parked);
          await parked.client.send('hello');
          await peer.untilText('hello');
        }
      },
    );
  }

  void t.test('a backend that is gone without a FIN: its reset proves nothing', async t => {
    const parked = await park(t);
    const find = lose(parked.parkedFd, 'everything');
    parked.peer.reset();
    await pause(5);
    find();
    const tried = attempt(t, parked.accepted, parked.parked);
    await pause(5);
    await parked.client.send('hello');
    await until('the relay is over', () => tried.stale() || tried.outcome() !== undefined);
    t.match(tried.outcome(), { by: 'backend', reason: 'reset' });
  });

  void t.test('an acknowledgement that is lost does not make a reset a proof', async t => {
    const parked = await park(t);
    const tried = attempt(t, parked.accepted, parked.parked);
    await pause(5);
    lose(parked.parkedFd, 'allButEnds');
    parked.peer.socket.once('data', () => parked.peer.reset());
    await parked.client.send('act on this');
    await until('the relay is over', () => tried.stale() || tried.outcome() !== undefined);
    t.equal(parked.peer.text, 'act on this');
    t.notOk(tried.stale());
  });

  for (const fin of [false, true]) {
    void t.test(`a connection that times out${fin ? ' behind a FIN' : ''} is not stale`, async t => {
      const parked = await park(t);
      libc.setsockopt(parked.parkedFd, IPPROTO_TCP, TCP_USER_TIMEOUT, Buffer.from([50, 0, 0, 0]), 4);
      const tried = attempt(t, parked.accepted, parked.parked);
      await pause(5);
      lose(descriptorOf(parked.peer.socket), 'everything');
      speakThenEnd(parked, 'hello', () => {
        if (fin) libc.shutdown(descriptorOf(parked.peer.socket), 1);
      });
      await until('the relay is over', () => tried.stale() || tried.outcome() !== undefined);
      t.match(tried.outcome(), { by: 'backend', reason: 'reset' });
    });
  }

  void t.test('a write that meets the reset first does not hide what kind of end it was', async t => {
    const parked = await park(t, 1);
    libc.setsockopt(descriptorOf(parked.peer.socket), IPPROTO_TCP, TCP_QUICKACK, OFF, OFF.length);
    const tried = attempt(t, parked.accepted, parked.parked);
    await pause(5);
    await parked.client.send('act on this');
    await parked.peer.untilText('act on this');
    speakThenEnd(parked, ', then that', () => parked.peer.reset());
    await until('the relay is over', () => tried.stale() || tried.outcome() !== undefined);
    t.notOk(tried.stale());
    t.match(tried.outcome(), { reason: 'reset' });
  });

  void t.test('a backend that has acknowledged a byte and then resets is a reset', async t => {
    const parked = await park(t);
    const tried = attempt(t, parked.accepted, parked.parked);
    await parked.client.send('hello');
    await parked.peer.untilText('hello');
    await pause(60);
    parked.peer.reset();
    await until('the relay is over', () => tried.stale() || tried.outcome() !== undefined);
    t.match(tried.outcome(), { by: 'backend', reason: 'reset' });
  });

  void t.test('a backend that half-closes and reads on is answered as one, with nothing lost', async t => {
    const parked = await park(t, 1);
    // So that it stays open for a while what became of the first bytes.
    libc.setsockopt(descriptorOf(parked.peer.socket), IPPROTO_TCP, TCP_QUICKACK, OFF, OFF.length);
    const tried = attempt(t, parked.accepted, parked.parked);
    await pause(5);
    speakThenEnd(parked, 'first', () => libc.shutdown(descriptorOf(parked.peer.socket), 1));
    await pause(5);
    await parked.client.send(', second');
    await parked.peer.untilText('first, second');
    t.equal(await parked.client.untilEnded(), 'fin');
    parked.client.halfClose();
    await until('the relay is over', () => tried.stale() || tried.outcome() !== undefined);
    t.match(tried.outcome(), { by: 'backend', reason: 'closed', bytesFromClient: 13 });
  });

  void t.test('a client that has sent more than is read at a time loses nothing of it', async t => {
    const parked = await park(t);
    const tried = attempt(t, parked.accepted, parked.parked);
    await pause(5);
    const text = 'x'.repeat(REPLAY_LIMIT_BYTES) + 'y';
    speakThenEnd(parked, text, () => closeNow(parked));
    await until('it is found stale', () => tried.stale());
    const { peer } = await startOver(t, parked);
    await peer.untilBytes(text.length);
    t.equal(peer.text, text);
  });

  void t.test("the client's FIN is replayed with its bytes", async t => {
    const parked = await park(t);
    parked.peer.halfClose();
    await parked.client.send('last words');
    parked.client.halfClose();
    await pause(5);
    const tried = attempt(t, parked.accepted, parked.parked);
    await until('it is noticed', () => tried.stale());
    const { peer, outcome } = await startOver(t, parked);
    t.equal(await peer.untilEnded(), 'fin');
    t.equal(peer.text, 'last words');
    peer.socket.end('answer');
    await until('it ends', () => outcome() !== undefined);
    t.equal(await parked.client.untilEnded(), 'fin');
    t.equal(parked.client.text, 'answer');
  });

  void t.test('also when the FIN had been read before', async t => {
    const parked = await park(t);
    const tried = attempt(t, parked.accepted, parked.parked);
    await pause(5);
    speakThenEnd(parked, 'last words', () => {
      libc.shutdown(descriptorOf(parked.client.socket), 1);
      closeNow(parked);
    });
    await until('the relay is over', () => tried.stale() || tried.outcome() !== undefined);
    t.ok(tried.stale());
    const { peer } = await startOver(t, parked);
    t.equal(await peer.untilEnded(), 'fin');
    t.equal(peer.text, 'last words');
  });

  for (const held of ['', 'first bytes']) {
    void t.test(`a preface that meets a dead connection, with "${held}" behind it`, async t => {
      const parked = await park(t);
      if (held !== '') await peekUntil(parked, held);
      const find = lose(descriptorOf(parked.peer.socket), 'everything');
      const tried = attempt(t, parked.accepted, parked.parked, 'one|');
      await pause(5);
      closeNow(parked);
      await pause(5);
      t.notOk(tried.stale(), 'not before it is known whether the backend has it');
      find();
      await until('it is noticed', () => tried.stale() || tried.outcome() !== undefined);
      t.ok(tried.stale());
      t.equal(parked.peer.text, '');
      const { peer, outcome } = await startOver(t, parked, 'two|');
      await parked.client.send('and more');
      await peer.untilText('and more');
      t.equal(peer.text, `two|${held}and more`, 'its own preface, and every byte once');
      parked.client.halfClose();
      peer.halfClose();
      await until('it ends', () => outcome() !== undefined);
      t.match(outcome(), { bytesFromClient: held.length + 8 });
    });

    void t.test(`a connection dead before gets neither preface nor "${held}"`, async t => {
      const parked = await park(t);
      if (held !== '') await peekUntil(parked, held);
      parked.peer.halfClose();
      await pause(5);
      const tried = attempt(t, parked.accepted, parked.parked, 'one|');
      await until('it is noticed', () => tried.stale());
      const { peer } = await startOver(t, parked, 'two|');
      await parked.client.send('and more');
      await peer.untilText('and more');
      t.equal(peer.text, `two|${held}and more`);
      t.equal(parked.peer.text, '');
    });
  }

  void t.test('a backend that has the preface and ends is not stale', async t => {
    const parked = await park(t);
    const tried = attempt(t, parked.accepted, parked.parked, 'one|');
    await parked.peer.untilText('one|');
    parked.peer.socket.destroy();
    t.equal(await parked.client.untilEnded(), 'fin');
    t.notOk(tried.stale());
    parked.client.halfClose();
    await until('it ends', () => tried.outcome() !== undefined);
    t.match(tried.outcome(), { by: 'backend', reason: 'closed', bytesFromClient: 0 });
  });

  /** The engine has read the client's first bytes before it relays them. */
  async function peekUntil({ client, accepted }: Parked, text: string): Promise<void> {
    let shown = '';
    accepted.peek(1024, bytes => (shown = Buffer.from(bytes).toString()));
    await client.send(text);
    await until('it is shown', () => shown === text);
    accepted.unwatch();
  }

  void t.test('a second connection that is dead as well costs no byte', async t => {
    const parked = await park(t);
    const tried = attempt(t, parked.accepted, parked.parked);
    await pause(5);
    speakThenEnd(parked, 'still whole', () => closeNow(parked));
    await until('it is noticed', () => tried.stale());
    const second = await connected(t, engine, parked.backend.address);
    (await parked.backend.next()).reset();
    await pause(5);
    const again = attempt(t, parked.accepted, second);
    await until('that is noticed too', () => again.stale());
    const { peer } = await startOver(t, parked);
    await peer.untilText('still whole');
    t.equal(peer.text, 'still whole');
  });
}
