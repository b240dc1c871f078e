/**
 * The part of the engine suite about first bytes: looked at before anything is relayed, and consumed or not.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Test } from 'tap';

import { scripts, startBackend } from '../../harness/backend.ts';
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
import { peekAt } from './peeked.ts';

const KIB = 1024;

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function peekContract(t: Test, createEngine: CreateEngine): void {
  const engine = createEngine({ clock: STOPPED_CLOCK });

  for (const family of FAMILIES) {
    void t.test(`bytes that come one by one are all shown, and relayed (${family})`, async t => {
      if (!(await hasFamily(t, family))) return;
      const { client, accepted } = await accept(t, engine, family);
      const peeked = peekAt(t, accepted);
      const text = 'PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\nhello';
      for (let sent = 1; sent <= text.length; sent++) {
        await client.send(text[sent - 1]!);
        await peeked.untilText(text.slice(0, sent));
      }
      t.equal(peeked.times(), text.length);
      t.equal(peeked.state(), 'open');
      const backend = await startBackend(t);
      const { ended } = startRelay(t, engine, accepted, await connected(t, engine, backend.address));
      const peer = await backend.next();
      await peer.untilText(text);
      await client.send(' and more');
      client.halfClose();
      t.equal(await peer.untilEnded(), 'fin');
      t.equal(peer.text, `${text} and more`);
      peer.halfClose();
      t.match(await ended(), { by: 'client', reason: 'closed', bytesFromClient: text.length + 9 });
    });

    for (const limitBytes of [1, 536, 100 * KIB]) {
      void t.test(
        `of more than ${limitBytes} bytes that many are shown, and all are relayed (${family})`,
        async t => {
          if (!(await hasFamily(t, family))) return;
          const { client, accepted } = await accept(t, engine, family);
          const bytes = randomBytes(700 * KIB);
          void client.send(bytes);
          const peeked = peekAt(t, accepted, limitBytes);
          await peeked.untilState('full');
          await pause(10);
          t.ok(peeked.bytes().equals(bytes.subarray(0, limitBytes)));
          client.halfClose();
          const backend = await startBackend(t, scripts.answerAfterFin('the answer'));
          const { ended } = startRelay(t, engine, accepted, await connected(t, engine, backend.address));
          t.equal(await client.untilEnded(), 'fin');
          t.equal(client.text, 'the answer');
          t.equal((await backend.next()).checksum(), sha256(bytes));
          t.match(await ended(), { by: 'client', reason: 'closed', bytesFromClient: bytes.length });
        },
      );
    }

    for (const text of ['', 'a request']) {
      for (const moment of ['before', 'during'] as const) {
        void t.test(
          `a FIN ${moment} the peek, behind "${text}", is shown and relayed (${family})`,
          async t => {
            if (!(await hasFamily(t, family))) return;
            const { client, accepted } = await accept(t, engine, family);
            if (text !== '') await client.send(text);
            if (moment === 'before') {
              client.halfClose();
              await pause(10);
            }
            const peeked = peekAt(t, accepted);
            if (moment === 'during') {
              await peeked.untilText(text);
              client.halfClose();
            }
            await peeked.untilState('end');
            t.equal(peeked.bytes().toString(), text);
            t.equal(accepted.wasReset, false);
            const backend = await startBackend(t, scripts.answerAfterFin('the answer'));
            const { ended } = startRelay(t, engine, accepted, await connected(t, engine, backend.address));
            t.equal(await client.untilEnded(), 'fin');
            t.equal(client.text, 'the answer');
            t.equal(backend.peers[0]?.text, text);
            t.match(await ended(), { by: 'client', reason: 'closed', bytesFromClient: text.length });
          },
        );

        if (family === 'unix') continue;
        void t.test(
          `a reset ${moment} the peek, behind "${text}", is shown and relayed (${family})`,
          async t => {
            if (!(await hasFamily(t, family))) return;
            const { client, accepted } = await accept(t, engine, family);
            if (text !== '') await client.send(text);
            if (moment === 'before') {
              client.reset();
              await pause(20);
            }
            const peeked = peekAt(t, accepted);
            if (moment === 'during') {
              await peeked.untilText(text);
              client.reset();
            }
            await peeked.untilState('reset');
            t.equal(peeked.bytes().toString(), text);
            t.equal(accepted.wasReset, true);
            const backend = await startBackend(t);
            const { ended } = startRelay(t, engine, accepted, await connected(t, engine, backend.address));
            const peer = await backend.next();
            t.equal(await peer.untilEnded(), 'reset');
            t.equal(peer.text, text);
            t.match(await ended(), { by: 'client', reason: 'reset', bytesFromClient: text.length });
          },
        );
      }
    }

    for (const [left, taken] of [
      ['rest', 7],
      ['', 11],
      ['header|rest', 0],
    ] as const) {
      void t.test(`what is taken is neither relayed nor counted: "${left}" is (${family})`, async t => {
        if (!(await hasFamily(t, family))) return;
        const { client, accepted } = await accept(t, engine, family);
        await client.send('header|rest');
        const peeked = peekAt(t, accepted);
        await peeked.untilText('header|rest');
        accepted.take(taken);
        await client.send(', then more');
        await pause(10);
        t.equal(peeked.times(), 1, 'the peek has ended');
        const backend = await startBackend(t);
        const { ended } = startRelay(t, engine, accepted, await connected(t, engine, backend.address));
        const peer = await backend.next();
        client.halfClose();
        t.equal(await peer.untilEnded(), 'fin');
        t.equal(peer.text, `${left}, then more`);
        peer.halfClose();
        t.match(await ended(), { by: 'client', bytesFromClient: left.length + 11 });
      });
    }
  }

  void t.test('what lies beyond the limit stays with the kernel, but for one read', async t => {
    const { client, accepted } = await accept(t, engine);
    const peeked = peekAt(t, accepted, 536);
    void client.send(Buffer.alloc(16 * KIB * KIB));
    await peeked.untilState('full');
    await pause(50);
    const backend = await startBackend(t);
    const { relay } = startRelay(t, engine, accepted, await connected(t, engine, backend.address));
    t.ok(relay.bytesFromClient >= 536 && relay.bytesFromClient < 300 * KIB, `${relay.bytesFromClient} bytes`);
  });

  void t.test('a reset behind more than the limit comes in the relay, after all bytes', async t => {
    const { client, accepted } = await accept(t, engine);
    await client.send('x'.repeat(2000));
    const peeked = peekAt(t, accepted, 536);
    await peeked.untilState('full');
    client.reset();
    await pause(20);
    t.equal(peeked.times(), 1);
    const backend = await startBackend(t);
    const { ended } = startRelay(t, engine, accepted, await connected(t, engine, backend.address));
    const peer = await backend.next();
    t.equal(await peer.untilEnded(), 'reset');
    t.equal(peer.receivedBytes, 2000);
    t.match(await ended(), { by: 'client', reason: 'reset', bytesFromClient: 2000 });
  });

  void t.test('a header is taken from the peek itself, and the next peek shows what follows', async t => {
    const { client, accepted } = await accept(t, engine);
    const hello = randomBytes(4 * KIB);
    await client.send(Buffer.concat([Buffer.from('header|'), hello]));
    const shown: Buffer[] = [];
    accepted.peek(536, (bytes, state) => {
      shown.push(Buffer.from(bytes));
      if (state !== 'full') return;
      accepted.take(7);
      accepted.peek(hello.length, (more, moreState) => {
        if (moreState !== 'full') return;
        shown.push(Buffer.from(more));
        void startBackend(t).then(async backend => {
          startRelay(t, engine, accepted, await connected(t, engine, backend.address));
          const peer = await backend.next();
          await peer.untilBytes(hello.length);
          t.equal(peer.checksum(), sha256(hello));
          shown.push(hello);
        });
      });
    });
    await until('all is relayed', () => shown.length >= 3);
    t.ok(shown.at(-2)?.equals(hello), 'the second shows what the first did not take');
  });

  void t.test('a relay may begin within the peek', async t => {
    const { client, accepted } = await accept(t, engine);
    const backend = await startBackend(t);
    const connection = await connected(t, engine, backend.address);
    let calls = 0;
    accepted.peek(KIB, () => {
      calls++;
      startRelay(t, engine, accepted, connection);
    });
    await client.send('a request');
    const peer = await backend.next();
    await peer.untilText('a request');
    await client.send(', and more');
    await peer.untilText('a request, and more');
    t.equal(calls, 1);
  });

  void t.test('a peek takes the place of another, which shows nothing more', async t => {
    const { client, accepted } = await accept(t, engine);
    const first = peekAt(t, accepted);
    await client.send('one');
    await first.untilText('one');
    const second = peekAt(t, accepted);
    await second.untilText('one');
    await client.send(', two');
    await second.untilText('one, two');
    t.equal(first.times(), 1);
  });

  void t.test('a peek that was ended shows nothing more; a watch tells of its bytes', async t => {
    const { client, accepted } = await accept(t, engine);
    const peeked = peekAt(t, accepted);
    await client.send('one');
    await peeked.untilText('one');
    accepted.unwatch();
    const changes: string[] = [];
    accepted.watch(change => changes.push(change));
    t.strictSame(changes, [], 'not before it has returned');
    await until('it is told', () => changes.length > 0);
    await client.send(', two');
    client.halfClose();
    await until('its end is told', () => changes.length > 1);
    t.strictSame(changes, ['readable', 'dead']);
    t.equal(peeked.times(), 1);
    const backend = await startBackend(t, scripts.answerAfterFin('the answer'));
    startRelay(t, engine, accepted, await connected(t, engine, backend.address));
    t.equal(await client.untilEnded(), 'fin');
    t.equal(backend.peers[0]?.text, 'one, two');
  });

  void t.test('a peek shows what a watch has seen', async t => {
    const { client, accepted } = await accept(t, engine);
    const changes: string[] = [];
    accepted.watch(change => changes.push(change));
    await client.send('one');
    client.halfClose();
    await until('it is told', () => changes.length > 1);
    const peeked = peekAt(t, accepted);
    await peeked.untilState('end');
    t.equal(peeked.bytes().toString(), 'one');
    const again = peekAt(t, accepted, 2);
    await again.untilState('full');
    t.equal(again.bytes().toString(), 'on', 'the limit also counts for what was read before');
  });

  void t.test("a backend's first bytes are looked at in the same way", async t => {
    const backend = await startBackend(t, scripts.greet('220 hello\r\n'));
    const parked = await connected(t, engine, backend.address);
    const peeked = peekAt(t, parked);
    await peeked.untilText('220 hello\r\n');
    parked.take(4);
    const { client, accepted } = await accept(t, engine);
    const { relay } = startRelay(t, engine, accepted, parked);
    await client.untilText('hello\r\n');
    t.equal(client.text, 'hello\r\n');
    t.equal(relay.bytesFromBackend, 7);
  });

  void t.test('what a peek has not shown cannot be taken', async t => {
    const { client, accepted } = await accept(t, engine);
    t.throws(() => accepted.take(1), { code: 'LB4_WRONG_STATE' });
    accepted.take(0);
    const peeked = peekAt(t, accepted);
    await client.send('four');
    await peeked.untilText('four');
    for (const bytes of [5, -1, 0.5, NaN]) t.throws(() => accepted.take(bytes), { code: 'LB4_WRONG_STATE' });
    accepted.take(4);
    t.throws(() => accepted.take(1), { code: 'LB4_WRONG_STATE' });
  });

  for (const family of FAMILIES) {
    void t.test(`finish delivers its bytes and a FIN to a client that was looked at (${family})`, async t => {
      if (!(await hasFamily(t, family))) return;
      const { client, accepted } = await accept(t, engine, family);
      await client.send(Buffer.alloc(20 * KIB));
      const peeked = peekAt(t, accepted, 536);
      await peeked.untilState('full');
      accepted.finish(Buffer.from('HTTP/1.1 503 Service Unavailable\r\n\r\n'));
      t.equal(await client.untilEnded(), 'fin');
      t.equal(client.text, 'HTTP/1.1 503 Service Unavailable\r\n\r\n');
      await client.send('and some more after that');
      t.equal(client.ending, 'fin', 'what it still sends is swallowed');
    });
  }

  void t.test('a connection reset from within its peek shows nothing more', async t => {
    const { client, accepted } = await accept(t, engine);
    let calls = 0;
    accepted.peek(KIB, () => {
      calls++;
      accepted.reset();
    });
    await client.send('a request');
    t.equal(await client.untilEnded(), 'reset');
    await pause(10);
    t.equal(calls, 1);
  });
}
