/** Files of unix sockets that change hands or vanish while they are looked at. */
import { connect, createServer, type Server } from 'node:net';
import { existsSync, renameSync, unlinkSync } from 'node:fs';
import t, { type Test } from 'tap';
import { SOCK_STREAM } from '../../../src/linux/abi.ts';
import { loadLibc } from '../../../src/linux/libc.ts';
import { encodeAddress } from '../../../src/linux/sockaddr.ts';
import { bindUnix } from '../../../src/engine/node/bind-unix.ts';
import {
  expectAt,
  ownSocketFile,
  removeIfSame,
  removeStale,
  socketFileAt,
} from '../../../src/linux/socket-file.ts';
import { socketPath } from '../../contracts/engine/fixture.ts';

async function bound(t: Test, path: string): Promise<Server> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(path, resolve));
  t.teardown(() => server.close());
  return server;
}

void t.test('a file that vanishes before it gets its owner is an error of its own', async t => {
  const path = socketPath(t);
  const self = { user: process.getuid?.(), group: process.getgid?.() };
  t.throws(() => ownSocketFile({ kind: 'unix', path, access: self }), { code: 'ENOENT' });
});

void t.test('a socket that cannot have its access leaves no file', async t => {
  const path = socketPath(t);
  await bound(t, path);
  t.throws(() => ownSocketFile({ kind: 'unix', path, access: { user: 2 ** 32 } }), /number|range|uid/i);
  t.notOk(existsSync(path));
});

void t.test("a successor's file at the same path is not removed", async t => {
  const path = socketPath(t);
  await bound(t, path);
  const file = ownSocketFile({ kind: 'unix', path });
  if (file === undefined) throw new Error('it is no socket');
  unlinkSync(path);
  removeIfSame(file);
  await bound(t, path);
  removeIfSame(file);
  t.ok(socketFileAt(path));
});

void t.test('only a socket on which nobody answers is stale', async t => {
  const path = socketPath(t);
  t.equal(await removeStale(path), false, 'there is none');
  const server = await bound(t, path);
  t.equal(await removeStale(path), false, 'somebody answers');
  const kept = `${path}.kept`;
  renameSync(path, kept);
  await new Promise(resolve => server.close(resolve));
  t.equal(await removeStale(kept), true);
  t.notOk(existsSync(kept));
});

const loaded = loadLibc();

void t.test(
  'a socket that is bound and about to listen is not stale',
  { skip: !loaded.ok && loaded.reason },
  async t => {
    if (!loaded.ok) return;
    const path = socketPath(t);
    const { libc } = loaded;
    const { family, bytes } = encodeAddress({ kind: 'unix', path });
    const fd = libc.socket(family, SOCK_STREAM, 0);
    t.teardown(() => libc.close(fd));
    t.equal(libc.bind(fd, bytes, bytes.length), 0);
    t.equal(await removeStale(path), false);
    t.ok(existsSync(path));
  },
);

void t.test('a socket whose path another one has taken meanwhile is not what it seems', async t => {
  const path = socketPath(t);
  await bound(t, path);
  const file = socketFileAt(path);
  expectAt(file);
  unlinkSync(path);
  await bound(t, path);
  t.throws(() => expectAt(file), { code: 'EADDRINUSE' });
});

for (const libc of [loaded.ok ? loaded.libc : undefined, undefined]) {
  const engine = libc === undefined ? 'node' : 'the C library';
  void t.test(`of many that start at once on a stale socket, one lives: ${engine}`, async t => {
    for (let round = 0; round < 20; round += 1) {
      const path = socketPath(t);
      const dead = await bound(t, `${path}.dead`);
      renameSync(`${path}.dead`, path);
      await new Promise(resolve => dead.close(resolve));
      const address = { kind: 'unix', path } as const;
      const starts = Array.from({ length: 5 }, async () => {
        const server = createServer(socket => socket.destroy());
        t.teardown(() => server.close());
        return bindUnix(server, address, libc);
      });
      const outcomes = await Promise.allSettled(starts);
      const alive = outcomes.filter(({ status }) => status === 'fulfilled');
      t.equal(alive.length, 1, outcomes.map(each => String('reason' in each ? each.reason : 'alive')).join());
      await new Promise((resolve, reject) => connect({ path }).on('connect', resolve).on('error', reject));
    }
  });
}
