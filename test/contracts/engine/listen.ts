/**
 * The part of the engine suite about listeners: binding, pausing, closing.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Test } from 'tap';

import { Lb4Error, systemCode } from '../../../src/errors.ts';
import type { Address } from '../../../src/support/address.ts';
import { connectClient } from '../../harness/client.ts';
import { pause, until } from '../../harness/until.ts';
import type { Connection } from '../../../src/engine/engine.ts';
import { hasFamily, listen, socketPath, STOPPED_CLOCK, type CreateEngine } from './fixture.ts';

const NOBODY = { onClient: () => undefined };

export function listenContract(t: Test, createEngine: CreateEngine, waitsIn: 'room' | 'kernel'): void {
  const engine = createEngine({ clock: STOPPED_CLOCK, waitingLimit: 3 });
  if (waitsIn === 'room') roomContract(t, createEngine);
  else kernelContract(t, createEngine);

  void t.test(
    'a client that is taken may resume and pause the listener: all are taken, in one go',
    async t => {
      const { listener, clients } = await listen(
        t,
        createEngine({ clock: STOPPED_CLOCK, waitingLimit: 400 }),
        undefined,
        client => {
          listener.pause();
          client.reset();
          listener.resume();
        },
      );
      listener.pause();
      await Promise.all(Array.from({ length: 300 }, () => connectClient(t, listener.address)));
      listener.resume();
      await until('all are taken', () => clients.length === 300);
    },
  );

  void t.test('tells the port that the kernel chose and the address of each client', async t => {
    const { listener, clients } = await listen(t, engine);
    const client = await connectClient(t, listener.address);
    await until('the client is accepted', () => clients.length === 1);
    t.equal(clients[0]?.peerAddress, '127.0.0.1');
    t.equal(clients[0]?.peerPort, client.socket.localPort);
  });

  void t.test('without a host it takes IPv4 and IPv6 clients, and shows IPv4 as IPv4', async t => {
    const { listener, clients } = await listen(t, engine, { kind: 'tcp', host: '', port: 0 });
    const { port } = tcp(listener.address);
    await connectClient(t, { kind: 'tcp', host: '127.0.0.1', port });
    await until('the IPv4 client is accepted', () => clients.length === 1);
    t.equal(clients[0]?.peerAddress, '127.0.0.1');
    if (!(await hasFamily(t, 'IPv6'))) return;
    await connectClient(t, { kind: 'tcp', host: '::1', port });
    await until('the IPv6 client is accepted', () => clients.length === 2);
    t.equal(clients[1]?.peerAddress, '::1');
  });

  void t.test('an address in use, or of another machine, is an Lb4Error in plain words', async t => {
    const { listener } = await listen(t, engine);
    const { port } = tcp(listener.address);
    await t.rejects(engine.listen(listener.address, NOBODY), {
      name: 'Lb4Error',
      code: 'LB4_LISTEN_FAILED',
      message: `cannot listen on 127.0.0.1:${port}: EADDRINUSE, the address is in use by this process itself`,
      cause: { code: 'EADDRINUSE' },
    });
    await t.rejects(engine.listen({ kind: 'tcp', host: '192.0.2.1', port: 0 }, NOBODY), {
      code: 'LB4_LISTEN_FAILED',
      message: /^cannot listen on 192\.0\.2\.1:0: EADDRNOTAVAIL, /,
    });
  });

  void t.test('replaces a stale unix socket, but neither a live one nor another file', async t => {
    const path = socketPath(t);
    const address: Address = { kind: 'unix', path };
    // A process that dies without closing leaves the file behind.
    spawnSync(process.execPath, [
      '-e',
      `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`,
    ]);
    const { clients } = await listen(t, engine, address);
    await connectClient(t, address);
    await until('the client is accepted', () => clients.length === 1);
    t.strictSame([clients[0]?.peerAddress, clients[0]?.peerPort], ['', 0]);

    await t.rejects(engine.listen(address, NOBODY), Lb4Error);
    await connectClient(t, address);
    await until('the first listener still accepts, the probe included', () => clients.length === 3);

    const file = socketPath(t);
    writeFileSync(file, 'precious');
    await t.rejects(engine.listen({ kind: 'unix', path: file }, NOBODY), { code: 'LB4_LISTEN_FAILED' });
    t.equal(readFileSync(file, 'utf8'), 'precious');
  });

  void t.test('the file of a unix socket goes with it, unless it is another’s by then', async t => {
    const path = socketPath(t);
    const address: Address = { kind: 'unix', path };
    const { listener: alone } = await listen(t, engine, address);
    t.same(readdirSync(dirname(path)), ['socket'], 'nothing else is made');
    await alone.close();
    t.same(readdirSync(dirname(path)), []);

    const { listener: old } = await listen(t, engine, address);
    rmSync(path);
    const { listener: successor, clients } = await listen(t, engine, address);
    await old.close();
    await connectClient(t, address);
    await until('the successor has its client', () => clients.length === 1);
    await successor.close();
    t.notOk(existsSync(path));
    writeFileSync(path, 'precious');
    await t.rejects(engine.listen(address, NOBODY), { code: 'LB4_LISTEN_FAILED' });
    t.equal(readFileSync(path, 'utf8'), 'precious');
  });

  void t.test('clients of a paused listener wait unread and come in order', async t => {
    const { listener, clients } = await listen(t, engine);
    listener.pause();
    listener.pause();
    const waiting = [];
    for (let i = 0; i < 3; i++) {
      const client = await connectClient(t, listener.address);
      await client.send('early');
      waiting.push(client.socket.localPort);
    }
    await pause(30);
    t.equal(clients.length, 0);
    listener.resume();
    await until('all are handed over', () => clients.length === 3);
    t.strictSame(
      clients.map(client => client.peerPort),
      waiting,
    );
  });

  void t.test('how long a client has been connected is known while nothing was sent to it', async t => {
    const { listener, clients } = await listen(t, engine);
    listener.pause();
    const silent = await connectClient(t, listener.address);
    await pause(60);
    await silent.send('early');
    listener.resume();
    await until('it is handed over', () => clients.length === 1);
    const waitedMs = clients[0] && engine.waitedMs(clients[0]);
    // Ticks of the kernel's clock are at most 10 ms.
    if (waitsIn === 'kernel') t.ok(Number(waitedMs) >= 50 && Number(waitedMs) < 30_000, String(waitedMs));
    else t.equal(waitedMs, undefined, 'without the C library nobody says so');
  });

  for (const leave of ['halfClose', 'reset'] as const) {
    // Node asks for a client's address when it has accepted it, and one that was reset has none any more.
    if (leave === 'reset' && engine.name === 'node' && waitsIn === 'kernel') continue;
    void t.test(`a client that leaves while it waits is still handed over (${leave})`, async t => {
      const { listener, clients } = await listen(t, engine);
      listener.pause();
      const client = await connectClient(t, listener.address);
      await pause(30);
      client[leave]();
      if (leave === 'reset') await until('the client has gone', () => client.closed);
      listener.resume();
      await until('it is handed over', () => clients.length === 1);
      let change = '';
      clients[0]?.watch(what => (change = what));
      await until('its end is seen', () => change === 'dead');
    });
  }

  void t.test('pausing while clients are handed over keeps the rest waiting', async t => {
    const { listener, clients } = await listen(t, engine, undefined, () => listener.pause());
    listener.pause();
    for (let i = 0; i < 3; i++) await connectClient(t, listener.address);
    await pause(30);
    for (const count of [1, 2]) {
      listener.resume();
      await until('one is handed over', () => clients.length === count);
      await pause(20);
      t.equal(clients.length, count);
    }
  });

  void t.test('close hands over who waits and who is in the accept queue, then refuses', async t => {
    // Whoever takes a client may pause, as a limit would; close is stronger.
    const { listener, clients } = await listen(t, engine, undefined, () => listener.pause());
    listener.pause();
    const waiting = await connectClient(t, listener.address);
    await pause(30);
    // This process stands still while the kernel queues the other process's clients.
    execFileSync(process.execPath, ['-e', connectMany(tcp(listener.address).port, 20, 'process.exit()')]);
    t.equal(clients.length, 0);
    await Promise.all([listener.close(), listener.close()]);
    t.equal(clients.length, 21);
    t.equal(clients[0]?.peerPort, waiting.socket.localPort);
    await t.rejects(connectClient(t, listener.address), { code: 'ECONNREFUSED' });
  });

  void t.test('close frees the address at once, though clients live on', async t => {
    const { listener, clients } = await listen(t, engine);
    const client = await connectClient(t, listener.address);
    await until('the client is accepted', () => clients.length === 1);
    await listener.close();
    await listen(t, engine, listener.address);
    t.equal(client.ending, undefined);
  });

  void t.test('clients that reset before they were accepted do no harm', async t => {
    const { listener, clients } = await listen(t, engine);
    const program = connectMany(tcp(listener.address).port, 20, 'for (const s of all) s.resetAndDestroy()');
    execFileSync(process.execPath, ['-e', program]);
    const healthy = await connectClient(t, listener.address);
    await until('a healthy client is accepted', () =>
      clients.some(client => client.peerPort === healthy.socket.localPort),
    );
  });
}

/** What holds where a paused listener's clients wait in a room of the engine's. */
function roomContract(t: Test, createEngine: CreateEngine): void {
  const engine = createEngine({ clock: STOPPED_CLOCK, waitingLimit: 3 });

  void t.test(
    'what waits and what is being finished share one bounded room; beyond it clients are reset',
    async t => {
      const own = createEngine({ clock: STOPPED_CLOCK, waitingLimit: 2 });
      let turnedAway = 0;
      const clients: Connection[] = [];
      const listener = await own.listen(
        { kind: 'tcp', host: '127.0.0.1', port: 0 },
        { onClient: client => clients.push(client), onTurnedAway: () => (turnedAway += 1) },
      );
      t.teardown(() => listener.close());
      const [first, second, third] = [
        await connectClient(t, listener.address),
        await connectClient(t, listener.address),
        await connectClient(t, listener.address),
      ] as const;
      await until('all are accepted', () => clients.length === 3);
      for (const client of clients) client.finish(Buffer.from('bye'));
      await until('the third is reset', () => third.ending === 'reset');
      await first.untilText('bye');
      await second.untilText('bye');

      listener.pause();
      // The reset may reach it before its own connect is reported.
      await connectClient(t, listener.address).catch(() => undefined);
      await until('one is turned away', () => turnedAway === 1);
      first.halfClose();
      second.halfClose();
      // The engine hears of these ends a moment later than the clients do.
      let waits = false;
      while (!waits) {
        const before = turnedAway;
        await connectClient(t, listener.address).catch(() => undefined);
        await pause(10);
        waits = turnedAway === before;
      }
      listener.resume();
      await until('the one that waited is taken', () => clients.length === 4);
      clients[3]?.finish();
    },
  );

  void t.test(
    'a paused listener refuses clients beyond its limit and still has the earlier ones',
    async t => {
      const { listener, clients } = await listen(t, engine);
      listener.pause();
      for (let i = 0; i < 3; i++) await connectClient(t, listener.address);
      await pause(30);
      // The reset may come before Node has told that the connect succeeded.
      const fourth = await connectClient(t, listener.address).catch((error: unknown) => systemCode(error));
      t.match(typeof fourth === 'string' ? fourth : await fourth.untilEnded(), /reset/i);
      listener.resume();
      await until('the others are handed over', () => clients.length === 3);
    },
  );
}

/** What holds where a paused listener's clients wait in the kernel's queue. */
function kernelContract(t: Test, createEngine: CreateEngine): void {
  for (const kind of ['tcp', 'unix'] as const) {
    void t.test(
      `${kind}: none is reset, however many wait at a paused listener, and they come in order`,
      async t => {
        const engine = createEngine({ clock: STOPPED_CLOCK, waitingLimit: 3 });
        const where: Address =
          kind === 'tcp' ? { kind, host: '127.0.0.1', port: 0 } : { kind, path: socketPath(t) };
        let turnedAway = 0;
        const clients: Connection[] = [];
        const listener = await engine.listen(where, {
          onClient: client => {
            clients.push(client);
            client.finish(Buffer.from(`you are ${clients.length}`));
            listener.pause();
          },
          onTurnedAway: () => (turnedAway += 1),
        });
        t.teardown(() => listener.close());
        listener.pause();
        const waiting = [];
        for (let i = 0; i < 60; i++) waiting.push(await connectClient(t, listener.address));
        await pause(30);
        t.equal(clients.length, 0, 'none is taken');
        for (const [i, client] of waiting.entries()) {
          listener.resume();
          await client.untilText(`you are ${i + 1}`);
          t.equal(clients.length, i + 1, 'one is taken');
          client.halfClose();
        }
        t.equal(turnedAway, 0);
      },
    );
  }
}

/** A program that opens so many connections, then does something with them. */
function connectMany(port: number, count: number, then: string): string {
  return `
    const all = [];
    let open = 0;
    for (let i = 0; i < ${count}; i++) {
      all.push(require('node:net').connect(${port}, '127.0.0.1', () => { if (++open === ${count}) { ${then} } }));
    }`;
}

function tcp(address: Address): { readonly host: string; readonly port: number } {
  if (address.kind === 'unix') throw new Error('not a TCP address');
  return address;
}
