/**
 * The part of the engine suite about taking over a socket that somebody else has bound and made to listen.
 *
 * Such a socket must be nobody else's in this process, and Node never lets go of one that it has made. So the
 * test makes it with the C library, through koffi; where that is missing it is skipped.
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import type * as Koffi from 'koffi';
import type { Test } from 'tap';

import { connectClient } from '../../harness/client.ts';
import { pause, until } from '../../harness/until.ts';
import type { TcpAddress } from '../../../src/support/address.ts';
import type { Connection } from '../../../src/engine/engine.ts';
import { STOPPED_CLOCK, type CreateEngine } from './fixture.ts';

export function takenOverContract(t: Test, createEngine: CreateEngine, waitsIn: 'room' | 'kernel'): void {
  const engine = createEngine({ clock: STOPPED_CLOCK });

  void t.test('a socket that listens already is taken over with its queue, and closed', async t => {
    const socket = listeningSocket();
    if (socket === undefined) {
      t.pass('skipped: no koffi, or not Linux', { skip: true });
      return;
    }
    const { fd, address } = socket;
    const early = await connectClient(t, address);
    await early.send('early');
    const clients: Connection[] = [];
    const listener = await engine.listen(
      { kind: 'listening', fd, address },
      { onClient: client => clients.push(client) },
    );
    t.teardown(async () => {
      await listener.close();
      for (const client of clients) client.reset();
    });
    t.strictSame(listener.address, address);
    const late = await connectClient(t, address);
    await until('both are accepted', () => clients.length === 2);
    t.strictSame(
      clients.map(client => client.peerPort),
      [early.socket.localPort, late.socket.localPort],
    );

    listener.pause();
    const waiting = await connectClient(t, address);
    await pause(20);
    t.equal(clients.length, 2);
    await listener.close();
    t.equal(clients[2]?.peerPort, waiting.socket.localPort);
    await t.rejects(connectClient(t, address), { code: 'ECONNREFUSED' });
  });

  if (waitsIn === 'kernel') brokenContract(t, createEngine);

  void t.test('a descriptor that is no socket is an Lb4Error naming the address', async t => {
    await t.rejects(
      engine.listen(
        { kind: 'listening', fd: 999_999, address: { kind: 'tcp', host: '127.0.0.1', port: 1234 } },
        { onClient: () => undefined },
      ),
      { code: 'LB4_LISTEN_FAILED', message: /^cannot listen on 127\.0\.0\.1:1234: / },
    );
  });
}

/** What holds where the engine can look at its socket: one that others have made stop listening listens again. */
function brokenContract(t: Test, createEngine: CreateEngine): void {
  for (const [how, paused] of [
    ['shut down', false],
    ['shut down', true],
    ['destroyed', false],
  ] as const) {
    void t.test(`a socket that is ${how}${paused ? ' while paused' : ''} listens again`, async t => {
      const broken = await breakable(t, createEngine);
      if (broken === undefined) return;
      const { listener, address, clients, told } = broken;
      const before = await connectClient(t, address);
      await until('it is accepted', () => clients.length === 1);
      if (paused) listener.pause();

      if (how === 'shut down') broken.stop();
      else if (!destroy(address)) {
        t.pass('skipped: ss cannot destroy sockets here', { skip: true });
        return;
      }
      await t.rejects(connectClient(t, address), { code: 'ECONNREFUSED' });
      await until('it is mended', () => told.length === 2);
      t.strictSame(told, ['broken ', 'mended']);
      const after = await connectClient(t, address);
      if (paused) listener.resume();
      await until('the next one is accepted', () => clients.length === 2);
      let change = '';
      clients[1]?.watch(what => (change = what));
      await after.send('hello');
      await until('it is heard', () => change !== '');
      t.equal(change, 'readable', 'it can send');
      clients[1]?.finish(Buffer.from('bye'));
      await after.untilText('bye');
      t.equal(before.ending, undefined, 'sessions live on');
    });
  }

  void t.test('where another has taken the port meanwhile it is tried until it is free', async t => {
    const broken = await breakable(t, createEngine);
    if (broken === undefined) return;
    const { address, clients, told } = broken;
    broken.stop();
    const thief = createServer().listen(address);
    await once(thief, 'listening');
    await until('it is broken', () => told.length === 1);
    t.strictSame(told, ['broken EADDRINUSE']);
    const usedUs = process.cpuUsage();
    await pause(200);
    const { user, system } = process.cpuUsage(usedUs);
    t.ok(user + system < 150_000, `nothing spins: ${user + system} us of CPU time in 200 ms`);
    thief.close();
    await until('it is mended', () => told.length === 2);
    await connectClient(t, address);
    await until('a client is accepted', () => clients.length === 1);
  });
}

/** A listener that can be made to stop listening from outside; undefined, and said so, where it cannot. */
async function breakable(t: Test, createEngine: CreateEngine) {
  const socket = listeningSocket();
  if (socket === undefined) {
    t.pass('skipped: no koffi, or not Linux', { skip: true });
    return undefined;
  }
  const { fd, address, stopper } = socket;
  const { stop, close } = stopper();
  t.teardown(close);
  const told: string[] = [];
  const clients: Connection[] = [];
  const listener = await createEngine({ clock: STOPPED_CLOCK }).listen(
    { kind: 'listening', fd, address },
    {
      onClient: client => clients.push(client),
      onBroken: code => told.push(`broken ${code ?? ''}`),
      onMended: () => told.push('mended'),
    },
  );
  t.teardown(async () => {
    await listener.close();
    for (const client of clients) client.reset();
  });
  return { listener, address, clients, told, stop };
}

/** As an operator does who wants a port to be free; takes root, and a kernel that was built with it. */
function destroy({ port }: TcpAddress): boolean {
  const filter = ['state', 'listening', 'sport', '=', `:${port}`];
  const { stdout, status } = spawnSync('ss', ['-K', '-H', '-t', '-l', '-n', ...filter], { encoding: 'utf8' });
  return status === 0 && stdout.includes(`:${port}`);
}

interface Listening {
  readonly fd: number;
  readonly address: TcpAddress;
  /** Makes the socket stop listening through another descriptor, which is to be closed. */
  readonly stopper: () => { readonly stop: () => void; readonly close: () => void };
}

/** A listening socket on a free port of 127.0.0.1 that Node knows nothing of; undefined if none can be made. */
function listeningSocket(): Listening | undefined {
  if (process.platform !== 'linux') return undefined;
  let koffi: typeof Koffi;
  try {
    koffi = createRequire(import.meta.url)('koffi');
  } catch {
    return undefined;
  }
  const libc = koffi.load(null);
  const [inet, stream, nonBlockingCloseOnExec] = [2, 1, 0o2004000];
  const fd: number = libc.func('int socket(int, int, int)')(inet, stream | nonBlockingCloseOnExec, 0);
  // sockaddr_in: family as the machine holds it, port and address in network order.
  const name = Buffer.alloc(16);
  new Uint16Array(name.buffer, name.byteOffset, 1)[0] = inet;
  name.writeUInt32BE(0x7f000001, 4);
  const [socketLevel, reuseAddress, on] = [1, 2, Buffer.from(Uint32Array.of(1).buffer)];
  const failed =
    libc.func('int setsockopt(int, int, int, void *, unsigned int)')(fd, socketLevel, reuseAddress, on, 4) !==
      0 ||
    libc.func('int bind(int, void *, unsigned int)')(fd, name, name.length) !== 0 ||
    libc.func('int listen(int, int)')(fd, 16) !== 0 ||
    libc.func('int getsockname(int, void *, void *)')(fd, name, Buffer.from(Uint32Array.of(16).buffer)) !== 0;
  if (failed) throw new Error('the C library cannot make a listening socket');
  return {
    fd,
    address: { kind: 'tcp', host: '127.0.0.1', port: name.readUInt16BE(2) },
    stopper: () => {
      const another: number = libc.func('int dup(int)')(fd);
      return {
        stop: () => void libc.func('int shutdown(int, int)')(another, 2),
        close: () => void libc.func('int close(int)')(another),
      };
    },
  };
}
