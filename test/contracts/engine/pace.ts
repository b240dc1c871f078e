/**
 * The part of the engine suite about paces: nothing moves before it may, nothing is lost or overtaken, and what needs
 * no pace does not wait for one.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Test } from 'tap';

import type { Pace } from '../../../src/engine/engine.ts';
import { seeded } from '../../../src/sim/seeded.ts';
import { startBackend } from '../../harness/backend.ts';
import { pause, until, untilSteady } from '../../harness/until.ts';
import {
  accept,
  connected,
  FAMILIES,
  hasFamily,
  join,
  startRelay,
  type CreateEngine,
  type Family,
  type Joined,
} from './fixture.ts';
import { peekAt } from './peeked.ts';
import { joinForReuse } from './reuse-fixture.ts';

const MIB = 1024 * 1024;
/** What both directions may move is for the test to say. */
const NO_LIMIT = undefined;

/** A pace that moves only what the test allows. */
class HandPace implements Pace {
  isWaiting = false;
  isEnded = false;
  movedBytes = 0;
  #allowedBytes: number;
  #goOn: (() => void) | undefined;

  constructor(allowedBytes = 0) {
    this.#allowedBytes = allowedBytes;
  }

  /** Lets this number of further bytes move. */
  allow(bytes: number): void {
    this.#allowedBytes += bytes;
    if (!this.isWaiting) return;
    this.isWaiting = false;
    if (this.#goOn === undefined) throw new Error('a pace is begun before it is asked');
    this.#goOn();
  }

  begin(goOn: () => void): void {
    if (this.#goOn !== undefined) throw new Error('a pace is begun once');
    this.#goOn = goOn;
  }

  ask(): number {
    if (this.isEnded) throw new Error('a pace that has ended is not asked');
    this.isWaiting = this.#allowedBytes === 0;
    return this.#allowedBytes;
  }

  took(bytes: number): void {
    if (bytes > this.#allowedBytes) throw new Error('more has moved than was allowed');
    this.movedBytes += bytes;
    this.#allowedBytes -= bytes;
  }

  end(): void {
    this.isEnded = true;
    this.isWaiting = false;
  }
}

export function paceContract(t: Test, createEngine: CreateEngine): void {
  const clock = { nowMs: 0 };
  const engine = createEngine({ clock });

  const joinPaced = async (t: Test, family?: Family): Promise<Joined & { up: HandPace; down: HandPace }> => {
    const joined = await join(t, engine, undefined, family);
    const [up, down] = [new HandPace(), new HandPace()];
    joined.relay.pace({ fromClient: up, fromBackend: down });
    return { ...joined, up, down };
  };

  for (const family of FAMILIES) {
    void t.test(`${family}: no byte moves before it may, and an end follows the last one`, async t => {
      if (!(await hasFamily(t, family))) return;
      const { client, backend, relay, ended, up, down } = await joinPaced(t, family);
      await client.send('question');
      client.halfClose();
      await until('it waits for its pace', () => up.isWaiting);
      t.equal(relay.bytesFromClient, 0);
      up.allow(4);
      await backend.untilText('ques');
      await until('it waits for its pace again', () => up.isWaiting);
      await pause(20);
      t.equal(backend.text, 'ques');
      t.equal(relay.bytesFromClient, 4, 'what waits is not counted');
      t.notOk(relay.halfClosed, 'nor is the end seen behind it');
      up.allow(100);
      t.equal(await backend.untilEnded(), 'fin');
      t.equal(backend.text, 'question');
      await backend.send('answer');
      backend.halfClose();
      await until('the other direction waits for its own', () => down.isWaiting);
      down.allow(100);
      t.equal(await client.untilEnded(), 'fin');
      t.equal(client.text, 'answer');
      t.match(await ended(), { by: 'client', reason: 'closed', bytesFromClient: 8, bytesFromBackend: 6 });
      t.same([up.movedBytes, down.movedBytes], [8, 6]);
      t.ok(up.isEnded && down.isEnded, 'its paces end with it');
    });

    void t.test(`${family}: much arrives whole through allowances of all sizes`, async t => {
      if (!(await hasFamily(t, family))) return;
      const { client, backend, outcome, ended, up, down } = await joinPaced(t, family);
      const random = seeded(7);
      const bytes = randomBytes(3 * MIB);
      const sum = createHash('sha256').update(bytes).digest('hex');
      void client.send(bytes).then(() => client.halfClose());
      void backend.send(bytes).then(() => backend.halfClose());
      const allowing = (async () => {
        while (outcome() === undefined) {
          for (const pace of [up, down]) pace.allow(1 + Math.floor(400_000 * random() ** 4));
          await pause(0);
        }
      })();
      const result = await ended();
      await allowing;
      t.match(result, { reason: 'closed', bytesFromClient: bytes.length, bytesFromBackend: bytes.length });
      await until('both have all', () => client.ending !== undefined && backend.ending !== undefined);
      t.same([client.checksum(), backend.checksum()], [sum, sum]);
    });
  }

  void t.test('what waits is left with the sender, whose TCP stops', async t => {
    const { client, up } = await joinPaced(t);
    const bytes = Buffer.alloc(32 * MIB);
    void client.send(bytes);
    await until('it waits for its pace', () => up.isWaiting);
    const sent = await untilSteady(
      'what the client could send',
      () => client.socket.bytesWritten - client.socket.writableLength,
    );
    t.ok(sent < bytes.length, `the client is stopped after ${sent} bytes`);
  });

  void t.test('an end without bytes before it waits for no pace', async t => {
    const { client, backend, ended } = await joinPaced(t);
    client.halfClose();
    t.equal(await backend.untilEnded(), 'fin');
    backend.reset();
    t.equal(await client.untilEnded(), 'reset');
    t.match(await ended(), { by: 'backend', reason: 'reset' });
  });

  void t.test('a reset follows the bytes before it, and then waits for nothing', async t => {
    const { client, backend, ended, down } = await joinPaced(t);
    await backend.send('last words');
    await until('they wait for their pace', () => down.isWaiting);
    backend.reset();
    await pause(20);
    t.equal(client.ending, undefined);
    down.allow(10);
    t.equal(await client.untilEnded(), 'reset');
    t.equal(client.text, 'last words');
    t.match(await ended(), { by: 'backend', reason: 'reset', bytesFromBackend: 10 });
  });

  void t.test('a receiver that resets ends a session whose bytes wait', async t => {
    const { client, backend, ended, down } = await joinPaced(t);
    await backend.send('never asked for');
    await until('they wait for their pace', () => down.isWaiting);
    client.reset();
    t.equal(await backend.untilEnded(), 'reset');
    t.match(await ended(), { by: 'client', reason: 'reset', bytesFromBackend: 0 });
    t.ok(down.isEnded);
  });

  void t.test('an abort ends a session whose bytes wait, at once', async t => {
    const { client, backend, relay, ended, up, down } = await joinPaced(t);
    await client.send('question');
    await until('it waits for its pace', () => up.isWaiting);
    relay.abort();
    t.ok(up.isEnded && down.isEnded);
    t.same(await Promise.all([client.untilEnded(), backend.untilEnded()]), ['reset', 'reset']);
    t.match(await ended(), { by: 'balancer', reason: 'aborted', bytesFromClient: 0 });
  });

  void t.test(
    'a session whose bytes wait for their pace is not idle; one that waits for bytes is',
    async t => {
      const { client, backend, relay, up } = await joinPaced(t);
      const startedMs = relay.lastActivityMs;
      clock.nowMs += 1_000;
      await until('it has nothing to do', () => relay.lastActivityMs === startedMs);
      await client.send('question');
      await until('it waits for its pace', () => up.isWaiting);
      clock.nowMs += 5_000;
      t.equal(relay.lastActivityMs, clock.nowMs);
      up.allow(1_000);
      t.equal(relay.lastActivityMs, clock.nowMs, 'nor is it before that which may move has moved');
      await backend.untilText('question');
      const movedMs = relay.lastActivityMs;
      clock.nowMs += 5_000;
      await until('it has nothing to do', () => relay.lastActivityMs === movedMs);
    },
  );

  void t.test('another pace takes the place of the one before, and none lets everything go', async t => {
    const { client, backend, relay, up, down } = await joinPaced(t);
    await client.send('question');
    await until('it waits for its pace', () => up.isWaiting);
    const other = new HandPace(4);
    relay.pace({ fromClient: other, fromBackend: NO_LIMIT });
    t.ok(up.isEnded && down.isEnded);
    await backend.untilText('ques');
    await until('it waits for the other one', () => other.isWaiting);
    relay.pace({ fromClient: NO_LIMIT, fromBackend: NO_LIMIT });
    t.ok(other.isEnded);
    await backend.untilText('question');
    await client.send(', and more');
    await backend.untilText('question, and more');
  });

  void t.test('a session that runs without a pace gets one', async t => {
    const { client, backend, relay } = await join(t, engine);
    await client.send('free');
    await backend.untilText('free');
    const up = new HandPace();
    relay.pace({ fromClient: up, fromBackend: NO_LIMIT });
    await client.send(' paced');
    await until('it waits for its pace', () => up.isWaiting);
    t.equal(backend.text, 'free');
    up.allow(6);
    await backend.untilText('free paced');
  });

  void t.test('what was held when it began comes first, and an end behind it last', async t => {
    const { client, accepted } = await accept(t, engine);
    await client.send('held');
    await peekAt(t, accepted).untilText('held');
    const backend = await startBackend(t);
    const connection = await connected(t, engine, backend.address);
    await client.send(', then sent');
    client.halfClose();
    const { relay, ended } = startRelay(t, engine, accepted, connection);
    const up = new HandPace();
    relay.pace({ fromClient: up, fromBackend: NO_LIMIT });
    const peer = await backend.next();
    up.allow(1_000);
    t.equal(await peer.untilEnded(), 'fin');
    t.equal(peer.text, 'held, then sent');
    peer.halfClose();
    t.match(await ended(), { by: 'client', reason: 'closed', bytesFromClient: 15 });
  });

  void t.test('a backend that takes no more bytes still gives its answer, at its pace', async t => {
    const { client, backend, up, down } = await joinPaced(t);
    await client.send('too much');
    await until('it waits for its pace', () => up.isWaiting);
    await backend.send('413');
    backend.halfClose();
    await until('the answer waits for its own', () => down.isWaiting);
    down.allow(1_000);
    await client.untilText('413');
    t.equal(await client.untilEnded(), 'fin');
  });

  void t.test('a connection is not left clean while an answer waits for its pace', async t => {
    const { client, backend, relay, ended } = await joinForReuse(t, engine);
    await client.send('question');
    await backend.untilText('question');
    const down = new HandPace(2);
    relay.pace({ fromClient: NO_LIMIT, fromBackend: down });
    await backend.send('answer');
    await client.untilText('an');
    client.halfClose();
    t.equal(await backend.untilEnded(), 'fin', 'so the backend gets the end of its client');
    down.allow(1_000);
    await client.untilText('answer');
    backend.halfClose();
    t.equal((await ended()).cleanBackend, undefined);
  });
}
