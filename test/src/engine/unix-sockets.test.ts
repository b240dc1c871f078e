/** Unix sockets with both engines: who may connect to their files, and names in the abstract namespace. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { dirname } from 'node:path';
import t from 'tap';

import type { Engine } from '../../../src/engine/engine.ts';
import { loadLibc, type Libc } from '../../../src/linux/libc.ts';
import { bindListeningSockets } from '../../../src/linux/listening-sockets.ts';
import { createNodeEngine } from '../../../src/engine/node/node-engine.ts';
import type { Address, SocketAccess, UnixAddress } from '../../../src/support/address.ts';
import { connectTo, listen, socketPath, startRelay } from '../../contracts/engine/fixture.ts';
import { newEpollEngine } from '../../harness/epoll-engine.ts';
import { until } from '../../harness/until.ts';
import { PASSED, probeOnce } from '../control/health/probing.ts';

const NOBODY = { onClient: () => undefined };
const loaded = loadLibc();
const isRoot = process.getuid?.() === 0;
const clock = { nowMs: 0 };

/** Root gives files to anybody; others have themselves to give them to. */
const ACCESS: SocketAccess & { readonly mode: number } = isRoot
  ? { mode: 0o640, user: 'daemon', group: 1 }
  : { mode: 0o640, user: process.getuid?.() };

accessTests('node engine without the C library', () => createNodeEngine({ clock }));
if (loaded.ok) {
  const { libc } = loaded;
  accessTests('node engine', (over = libc) => createNodeEngine({ clock, libc: over }));
  accessTests('epoll engine', (over = libc) => newEpollEngine({ libc: over }));
  abstractTests('node engine', createNodeEngine({ clock, libc }));
  abstractTests('epoll engine', newEpollEngine({ libc }));
  for (const name of ['node', 'epoll'] as const) raceTest(name, libc);
  probeTests(libc);
}
withoutLibc();

function accessTests(name: string, createEngine: (libc?: Libc) => Engine): void {
  void t.test(`${name}: a socket file has the mode and the owners that were asked for`, async t => {
    const path = socketPath(t);
    const { listener } = await listen(t, createEngine(), { kind: 'unix', path, access: ACCESS });
    const { mode, uid, gid } = lstatSync(path);
    t.equal(mode & 0o777, 0o640);
    t.same(isRoot ? [uid, gid] : [uid], isRoot ? [userNumber('daemon'), 1] : [process.getuid?.()]);
    t.same(readdirSync(dirname(path)), ['socket']);
    await listener.close();
    t.same(readdirSync(dirname(path)), [], 'and is removed');
  });

  void t.test(`${name}: a user or a group that is not there is named, and nothing is left`, async t => {
    const path = socketPath(t);
    for (const [access, why] of [
      [{ user: 'no-such-user' }, 'there is no user no-such-user in /etc/passwd'],
      [{ mode: 0o600, group: 'no-such-group' }, 'there is no group no-such-group in /etc/group'],
    ] as const) {
      await t.rejects(createEngine().listen({ kind: 'unix', path, access }, NOBODY), {
        code: 'LB4_LISTEN_FAILED',
        message: `cannot listen on unix:${path}: ${why}`,
      });
      t.same(readdirSync(dirname(path)), []);
    }
  });
}

/** No client gets in before the file is as it is to be. */
function raceTest(name: 'node' | 'epoll', libc: Libc): void {
  void t.test(`${name} engine: until a socket has its mode and owners it does not listen`, async t => {
    const path = socketPath(t);
    const modes: number[] = [];
    const watched: Libc = {
      ...libc,
      listen: (...args) => {
        modes.push(lstatSync(path).mode & 0o777);
        return libc.listen(...args);
      },
    };
    const engine =
      name === 'node' ? createNodeEngine({ clock, libc: watched }) : newEpollEngine({ libc: watched });
    await listen(t, engine, { kind: 'unix', path, access: ACCESS });
    t.same(modes, [0o640]);
  });
}

function abstractTests(name: string, engine: Engine): void {
  const abstractName = (): UnixAddress => ({
    kind: 'unix',
    path: `@lb4-test-${process.pid}-${name}/${++names}`,
  });
  let names = 0;

  void t.test(
    `${name}: an abstract name is the very name, of a backend as well, and carries sessions`,
    async t => {
      const [front, back] = [abstractName(), abstractName()];
      const { clients: backends } = await listen(t, engine, back);
      const { listener, clients } = await listen(t, engine, front);
      t.same(listener.address, front);
      const known = readFileSync('/proc/net/unix', 'utf8').split('\n');
      for (const { path } of [front, back] as const)
        t.ok(
          known.some(line => line.endsWith(` ${path}`)),
          'as the kernel has it, without padding',
        );
      // The engine is its own client and its own backend here.
      const client = await connectTo(engine, front);
      if (!client.ok) throw new Error(client.failure.code);
      t.teardown(() => client.connection.reset());
      await until('it is accepted', () => clients.length === 1);
      const backend = await connectTo(engine, back);
      if (!backend.ok) throw new Error(backend.failure.code);
      await until('the backend has it', () => backends.length === 1);
      const { ended } = startRelay(t, engine, clients[0]!, backend.connection);
      backends[0]?.finish(Buffer.from('greeting'));
      client.connection.finish(Buffer.from('hello'));
      t.match(await ended(), { reason: 'closed', bytesFromClient: 5, bytesFromBackend: 8 });
    },
  );

  void t.test(`${name}: a name that is taken, or that nobody has`, async t => {
    const address = abstractName();
    const { listener } = await listen(t, engine, address);
    await t.rejects(engine.listen(address, NOBODY), {
      code: 'LB4_LISTEN_FAILED',
      message: /EADDRINUSE, the address is in use by this process itself$/,
    });
    await listener.close();
    t.match(await connectTo(engine, address), { failure: { reason: 'refused', code: 'ECONNREFUSED' } });
    const { listener: again } = await listen(t, engine, address);
    await again.close();
    t.same(
      readdirSync('.').filter(each => each.startsWith('@')),
      [],
      'no file has that name',
    );
  });
}

function probeTests(libc: Libc): void {
  void t.test('checks of every kind reach a backend by its abstract name', async t => {
    const address = { kind: 'unix', path: `@lb4-test-${process.pid}-probes` } as const;
    const { fds } = await bindListeningSockets(libc, address, 1);
    const server = createServer((_, response) => response.end('well'));
    server.listen({ fd: fds[0] });
    t.teardown(() => server.close());
    const engine = createNodeEngine({ clock, libc });
    const deps = { engine, openSocket: (where: Address) => engine.openSocket(where) };
    for (const keys of [
      { type: 'tcp' },
      { type: 'http', path: '/', body: 'well' },
      { type: 'sendExpect', send: 'GET / HTTP/1.0\r\n\r\n', expect: 'well' },
    ]) {
      t.same(await probeOnce(address, keys, deps), PASSED, keys.type);
    }
  });
}

function withoutLibc(): void {
  void t.test('without the C library an abstract name is refused in plain words', async t => {
    const engine = createNodeEngine({ clock });
    const address: Address = { kind: 'unix', path: '@lb4-test' };
    await t.rejects(engine.listen(address, NOBODY), {
      code: 'LB4_LISTEN_FAILED',
      message: /^cannot listen on unix:@lb4-test: names in the abstract namespace need koffi/,
    });
    t.match(await connectTo(engine, address), { failure: { reason: 'unreachable', code: 'ENOTSUP' } });
  });
}

function userNumber(name: string): number {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find(each => each.startsWith(`${name}:`));
  return Number(line?.split(':')[2]);
}
