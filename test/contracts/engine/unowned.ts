/**
 * The part of the engine suite about connections that nobody relays: watch, finish, reset.
 */
import { createHash } from 'node:crypto';
import type { Test } from 'tap';

import { scripts, startBackend, type Backend } from '../../harness/backend.ts';
import type { Peer } from '../../harness/peer.ts';
import { pause, until } from '../../harness/until.ts';
import {
  accept,
  connected,
  FAMILIES,
  hasFamily,
  startRelay,
  STOPPED_CLOCK,
  type CreateEngine,
} from './fixture.ts';
import type { Connection } from '../../../src/engine/engine.ts';

const KIB = 1024;

export function unownedContract(t: Test, createEngine: CreateEngine): void {
  const engine = createEngine({ clock: STOPPED_CLOCK });

  /** A parked connection to a backend, and what its watch has told. */
  async function park(t: Test, backend: Backend): Promise<{ parked: Connection; changes: string[] }> {
    const parked = await connected(t, engine, backend.address);
    const changes: string[] = [];
    parked.watch(change => changes.push(change));
    return { parked, changes };
  }

  void t.test('a parked connection tells of a greeting once, and the relay delivers it first', async t => {
    const backend = await startBackend(t, scripts.greet('220 hello\r\n'));
    const { parked, changes } = await park(t, backend);
    await until('the greeting is noticed', () => changes.length > 0);
    await backend.peers[0]?.send('and more\r\n');
    await pause(30);
    t.strictSame(changes, ['readable']);
    parked.unwatch();

    const { client, accepted } = await accept(t, engine);
    const { relay } = startRelay(t, engine, accepted, parked);
    await client.untilText('220 hello\r\nand more\r\n');
    t.equal(relay.bytesFromBackend, client.receivedBytes);
    await backend.peers[0]?.send('then this');
    await client.untilText('more\r\nthen this');
  });

  void t.test('a greeting larger than a watch takes is relayed whole', async t => {
    const greeting = Buffer.alloc(300 * KIB, 'abcdefg');
    const backend = await startBackend(t, peer => void peer.send(greeting));
    const { parked, changes } = await park(t, backend);
    await until('it is noticed', () => changes.length > 0);
    await pause(30);
    parked.unwatch();
    const { client, accepted } = await accept(t, engine);
    startRelay(t, engine, accepted, parked);
    await client.untilBytes(greeting.length);
    t.ok(client.text === greeting.toString(), 'in order');
  });

  for (const [ending, play] of [
    ['closes', (peer: Peer) => peer.socket.destroy()],
    ['half-closes', (peer: Peer) => peer.halfClose()],
    ['resets', (peer: Peer) => peer.reset()],
  ] as const) {
    void t.test(`a parked connection is dead, once, when its backend ${ending}`, async t => {
      const backend = await startBackend(t);
      const { changes } = await park(t, backend);
      play(await backend.next());
      await until('it is noticed', () => changes.length > 0);
      await pause(30);
      t.strictSame(changes, ['dead']);
    });

    void t.test(`also when it ${ending} after a greeting`, async t => {
      const backend = await startBackend(t, scripts.greet('hello'));
      const { changes } = await park(t, backend);
      await until('the greeting is noticed', () => changes.length > 0);
      play(await backend.next());
      await until('the end is noticed', () => changes.length > 1);
      t.strictSame(changes, ['readable', 'dead']);
    });
  }

  void t.test('a second watch tells what the first has seen', async t => {
    const backend = await startBackend(t, scripts.greet('hello'));
    const { parked, changes } = await park(t, backend);
    (await backend.next()).halfClose();
    await until('greeting and end are noticed', () => changes.length === 2);
    parked.unwatch();
    const again: string[] = [];
    parked.watch(change => again.push(change));
    await until('both are told again', () => again.length === 2);
    t.strictSame(again, ['readable', 'dead']);
  });

  for (const family of FAMILIES) {
    for (const [sends, text] of [
      ['nothing', ''],
      ['a request', 'GET / HTTP/1.1\r\n\r\n'],
      ['more than a watch takes', 'x'.repeat(20 * KIB)],
    ] as const) {
      void t.test(
        `a watched client that sent ${sends} and half-closes was not reset, and is served (${family})`,
        async t => {
          if (!(await hasFamily(t, family))) return;
          const { client, accepted } = await accept(t, engine, family);
          const changes: string[] = [];
          accepted.watch(change => changes.push(change));
          if (text !== '') {
            await client.send(text);
            await until('it is noticed', () => changes.length > 0);
            t.strictSame(changes, ['readable']);
          }
          client.halfClose();
          // Beyond what it takes, a watch may not see the end.
          if (text.length < 16 * KIB) await until('its end is noticed', () => changes.includes('dead'));
          else await pause(30);
          t.equal(accepted.wasReset, false);
          accepted.unwatch();
          const backend = await startBackend(t, scripts.answerAfterFin('the answer'));
          const { ended } = startRelay(t, engine, accepted, await connected(t, engine, backend.address));
          t.equal(await client.untilEnded(), 'fin');
          t.equal(client.text, 'the answer');
          t.equal(backend.peers[0]?.text, text);
          t.match(await ended(), { by: 'client', reason: 'closed', bytesFromClient: text.length });
          t.equal(accepted.wasReset, false);
        },
      );
    }
  }

  for (const family of FAMILIES.filter(each => each !== 'unix')) {
    for (const sends of ['nothing', 'a request'] as const) {
      void t.test(`a watched client that sent ${sends} and resets was reset (${family})`, async t => {
        if (!(await hasFamily(t, family))) return;
        const { client, accepted } = await accept(t, engine, family);
        const changes: string[] = [];
        accepted.watch(change => changes.push(change));
        if (sends !== 'nothing') {
          await client.send('GET / HTTP/1.1\r\n\r\n');
          await until('it is noticed', () => changes.length > 0);
        }
        t.equal(accepted.wasReset, false);
        client.reset();
        await until('its end is noticed', () => changes.includes('dead'));
        t.equal(accepted.wasReset, true);
      });
    }

    void t.test(`a client whose request and reset are seen at once was reset (${family})`, async t => {
      if (!(await hasFamily(t, family))) return;
      const { client, accepted } = await accept(t, engine, family);
      await client.send('GET / HTTP/1.1\r\n\r\n');
      client.reset();
      await until('the client is gone', () => client.closed);
      await pause(20);
      const changes: string[] = [];
      accepted.watch(change => changes.push(change));
      await until('its end is noticed', () => changes.includes('dead'));
      t.strictSame(changes.at(-1), 'dead');
      t.equal(accepted.wasReset, true);
    });
  }

  void t.test('an unwatched connection tells nothing', async t => {
    const backend = await startBackend(t);
    const { parked, changes } = await park(t, backend);
    parked.unwatch();
    (await backend.next()).reset();
    await pause(50);
    t.strictSame(changes, []);
  });

  for (const family of FAMILIES) {
    void t.test(
      `finish delivers its bytes and a FIN to a client that had sent a request (${family})`,
      async t => {
        if (!(await hasFamily(t, family))) return;
        const answer = Buffer.from(`HTTP/1.1 503 Service Unavailable\r\n\r\n${'busy '.repeat(2000)}`);
        const { client, accepted } = await accept(t, engine, family);
        await client.send(Buffer.alloc(20 * KIB));
        await pause(20);
        accepted.finish(answer);
        t.equal(await client.untilEnded(), 'fin');
        t.equal(client.text, answer.toString());
        await client.send('and some more after that');
        t.equal(client.ending, 'fin', 'what it still sends is swallowed');
        client.halfClose();
        await until('the client is closed', () => client.closed);
        t.equal(client.ending, 'fin');
      },
    );
  }

  void t.test('finish delivers more than the kernel has room for, as the client takes it', async t => {
    const { client, accepted } = await accept(t, engine);
    client.stall();
    await client.send('a request');
    const answer = Buffer.alloc(16 * 1024 * KIB, 'all of it ');
    accepted.finish(answer);
    client.read();
    t.equal(await client.untilEnded(), 'fin');
    t.equal(client.checksum(), createHash('sha256').update(answer).digest('hex'));
  });

  void t.test('a client that resets amid last words is let go', async t => {
    const { client, accepted } = await accept(t, engine);
    client.stall();
    accepted.finish(Buffer.alloc(16 * 1024 * KIB));
    client.reset();
    await until('the client is gone', () => client.closed);
    const { client: next, accepted: late } = await accept(t, engine);
    late.finish(Buffer.from('next'));
    t.equal(await next.untilEnded(), 'fin');
    t.equal(next.text, 'next');
  });

  void t.test('finish without bytes is a FIN', async t => {
    const { client, accepted } = await accept(t, engine);
    accepted.finish();
    t.equal(await client.untilEnded(), 'fin');
    t.equal(client.receivedBytes, 0);
  });

  void t.test('finish does not listen for ever', async t => {
    const { client, accepted } = await accept(t, engine);
    accepted.finish(Buffer.from('no'));
    t.equal(await client.untilEnded(), 'fin');
    // It never closes its side and sends without end.
    const flood = setInterval(() => client.socket.write(Buffer.alloc(16 * KIB)), 10);
    t.teardown(() => clearInterval(flood));
    await until('the engine has had enough', () => client.closed);
    t.equal(client.text, 'no');
  });

  void t.test('reset resets, and a second one does nothing', async t => {
    const { client, accepted } = await accept(t, engine);
    accepted.reset();
    accepted.reset();
    t.equal(await client.untilEnded(), 'reset');
  });

  void t.test('reset of a connection that has gone, or was finished, does no harm', async t => {
    const { client, accepted } = await accept(t, engine);
    accepted.watch(() => undefined);
    client.reset();
    await until('the client is gone', () => client.closed);
    await pause(20);
    accepted.reset();
    accepted.finish(Buffer.from('late'));
  });

  void t.test('reset closes the connection also while its FIN is on the way', async t => {
    const nextTick = (then: () => void): void => process.nextTick(then);
    const laterAndLater: readonly ((then: () => void) => void)[] = [
      then => then(),
      nextTick,
      then => nextTick(() => nextTick(then)),
      then => nextTick(() => nextTick(() => nextTick(then))),
      setImmediate,
    ];
    for (const later of laterAndLater) {
      const { client, accepted } = await accept(t, engine);
      accepted.finish();
      later(() => accepted.reset());
      await client.untilEnded();
      await until('nobody is there any more', () => {
        if (!client.socket.destroyed) client.socket.write('hello?');
        return client.ending === 'reset';
      });
      t.pass();
    }
  });
}
