/** What a short read does not prove: urgent data, and messages with descriptors on a unix socket. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import t from 'tap';

import * as abi from '../../../../src/linux/abi.ts';
import { EpollConnection } from '../../../../src/engine/epoll/epoll-connection.ts';
import { loadLibc, type Libc } from '../../../../src/linux/libc.ts';
import { anywhere, join, listen, connected, startRelay } from '../../../contracts/engine/fixture.ts';
import { startBackend } from '../../../harness/backend.ts';
import { connectClient } from '../../../harness/client.ts';
import { newEpollEngine } from '../../../harness/epoll-engine.ts';
import { descriptorOf } from '../../../harness/segments.ts';
import { find } from '../../../harness/programs.ts';
import { pause, until } from '../../../harness/until.ts';

const MSG_OOB = 1;
const MIB = 1024 * 1024;

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

function sendUrgent(fd: number): void {
  if (loaded.ok) loaded.libc.send(fd, Buffer.from('!'), 1, MSG_OOB);
}

void t.test('urgent data does not hold up what follows it', { skip }, async t => {
  const { client, backend, ended } = await join(t, newEpollEngine());
  const fd = descriptorOf(client.socket);
  for (let i = 0; i < 20; i++) {
    await client.send(`before ${i}, `);
    sendUrgent(fd);
    await client.send(`after ${i}. `);
    if (i % 3 === 0) await pause(3);
  }
  await backend.untilText('after 19. ');
  for (let i = 0; i < 20; i++) t.match(backend.text, new RegExp(`before ${i}, !?after ${i}\\. `));
  client.halfClose();
  t.equal(await backend.untilEnded(), 'fin');
  backend.halfClose();
  t.match(await ended(), { reason: 'closed' });
});

for (const fin of [false, true]) {
  void t.test(`nor in the middle of bulk${fin ? ', with a FIN behind it' : ''}`, { skip }, async t => {
    if (!loaded.ok) return;
    const { libc } = loaded;
    const { client, backend } = await join(t, newEpollEngine());
    const fd = descriptorOf(client.socket);
    // Opens the windows, so that the kernel takes at once what follows.
    await client.send(Buffer.alloc(8 * MIB));
    await backend.untilBytes(8 * MIB);
    // Two full reads make it bulk; then the first splice stops at the urgent byte.
    const [before, after] = [192 * 1024, 100 * 1024];
    t.equal(libc.send(fd, Buffer.alloc(before, 'a'), before, 0), before);
    sendUrgent(fd);
    t.equal(libc.send(fd, Buffer.alloc(after, 'b'), after, 0), after);
    if (fin) client.halfClose();
    await backend.untilBytes(8 * MIB + before + after);
    if (fin) t.equal(await backend.untilEnded(), 'fin');
    t.ok(backend.receivedBytes <= 8 * MIB + before + after + 1);
  });
}

void t.test('where there are no pipes bulk is delivered all the same', { skip }, async t => {
  if (!loaded.ok) return;
  let asked = 0;
  const libc = {
    ...loaded.libc,
    pipe2: () => {
      asked++;
      return -1;
    },
  };
  const { client, backend } = await join(t, newEpollEngine({ libc }));
  const text = Buffer.alloc(16 * MIB, 'lb4');
  void client.send(text);
  await backend.untilBytes(text.length);
  t.ok(asked > 0, `asked for a pipe ${asked} times`);
  t.ok(asked < 20, 'but not for every read');
});

void t.test('a bulk flow leaves the others of its engine their turn', { skip }, async t => {
  const engine = newEpollEngine();
  const bulk = await join(t, engine);
  const small = await join(t, engine);
  const flow = { isOver: false };
  t.teardown(() => (flow.isOver = true));
  void (async () => {
    const chunk = Buffer.alloc(MIB);
    while (!flow.isOver) await bulk.client.send(chunk);
  })();
  await until('it flows', () => bulk.relay.bytesFromClient > 8 * MIB);
  const before = bulk.relay.bytesFromClient;
  let slowest = 0;
  for (let i = 1; i <= 50; i++) {
    const start = performance.now();
    await small.client.send('ping');
    await until('it is there', () => small.backend.receivedBytes === 4 * i);
    slowest = Math.max(slowest, performance.now() - start);
  }
  flow.isOver = true;
  t.ok(slowest < 1000, `the slowest of 50 took ${Math.round(slowest)} ms`);
  t.ok(bulk.relay.bytesFromClient > before + MIB, 'bulk went on meanwhile');
  bulk.relay.abort();
});

void t.test(
  'an hour of a receiver that takes a byte a second loses nothing and holds nobody up',
  { skip },
  async t => {
    if (!loaded.ok) return;
    const { libc } = loaded;
    // Without the hour: the kernel takes one byte per send, and the test is its readiness.
    const dripping = {
      ...libc,
      send: (fd: number, buffer: Uint8Array, _bytes: number, flags: number) =>
        libc.send(fd, buffer, 1, flags),
    };
    const clock = { nowMs: 0 };
    const engine = newEpollEngine({ libc: dripping, clock, trustsShortReads: true });
    const backend = await startBackend(t);
    const { listener, clients } = await listen(t, engine);
    const client = await connectClient(t, listener.address);
    await until('the client is accepted', () => clients.length === 1);
    const slow = await connected(t, engine, backend.address);
    const { relay, ended } = startRelay(t, engine, clients[0]!, slow);
    const peer = await backend.next();
    const text = Buffer.alloc(3600, 'lb4 ').toString();
    await client.send(text);
    client.halfClose();
    await until('it is with the relay', () => relay.bytesFromClient === text.length);
    t.equal(relay.halfClosed, true);
    if (!(slow instanceof EpollConnection)) throw new Error('not of this engine');
    for (let second = 1; second < text.length; second++) {
      clock.nowMs = 1000 * second;
      slow.onEvents(abi.EPOLLOUT);
      if (relay.lastActivityMs !== clock.nowMs) t.fail(`no activity in second ${second}`);
    }
    t.equal(await peer.untilEnded(), 'fin', 'the FIN follows the last byte');
    t.equal(peer.text, text);
    peer.halfClose();
    t.match(await ended(), { reason: 'closed', bytesFromClient: 3600 });
  },
);

void t.test('a message with descriptors ends a read, and nothing is lost behind it', { skip }, async t => {
  if (find('python3') === undefined) {
    t.pass('skipped: this machine has no python3', { skip: true });
    return;
  }
  const engine = newEpollEngine();
  const { listener, clients } = await listen(t, engine, anywhere(t, 'unix'));
  if (listener.address.kind !== 'unix') throw new Error('not a unix socket');
  const program = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
socket.send_fds(s, [b'with descriptor, '], [0])
s.send(b'without')
print('sent', flush=True)
sys.stdin.readline()`;
  const child = spawn(find('python3')!, ['-c', program, listener.address.path]);
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  await until('the client is accepted', () => clients.length === 1);
  const backend = await startBackend(t);
  startRelay(t, engine, clients[0]!, await connected(t, engine, backend.address));
  await (await backend.next()).untilText('with descriptor, without');
  t.pass();
});

void t.test(
  'an answer that waits for its client while it asks again is not the last word',
  { skip },
  async t => {
    if (!loaded.ok) return;
    let blocked: number | undefined;
    const { libc } = loaded;
    const blocking: Libc = {
      ...libc,
      send: (fd, ...rest) => (fd === blocked ? -1 : libc.send(fd, ...rest)),
      errno: () => (blocked === undefined ? libc.errno() : constants.errno.EAGAIN),
    };
    const engine = newEpollEngine({ libc: blocking });
    const backend = await startBackend(t);
    const { listener, clients } = await listen(t, engine);
    const client = await connectClient(t, listener.address);
    await until('the client is accepted', () => clients.length === 1);
    const [accepted] = clients;
    if (!(accepted instanceof EpollConnection)) throw new Error('not of this engine');
    const connection = await connected(t, engine, backend.address);
    const { relay, ended } = startRelay(t, engine, accepted, connection, { reuse: true });
    const peer = await backend.next();
    await client.send('first');
    await peer.untilText('first');
    blocked = accepted.fd;
    await peer.send('answer');
    await until('the relay has the answer', () => relay.bytesFromBackend === 6);
    await client.send('second');
    await peer.untilText('firstsecond');
    blocked = undefined;
    accepted.onEvents(abi.EPOLLOUT);
    await client.untilText('answer');
    client.halfClose();
    t.equal(await peer.untilEnded(), 'fin', 'it is not handed back');
    peer.socket.end(', and another');
    t.notOk('cleanBackend' in (await ended()));
    t.equal(await client.untilEnded(), 'fin');
    t.equal(client.text, 'answer, and another');
  },
);
