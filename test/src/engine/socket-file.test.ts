/** Files of unix sockets that change hands or vanish while they are looked at. */
import { createServer, type Server } from 'node:net';
import { existsSync, renameSync, unlinkSync } from 'node:fs';
import t, { type Test } from 'tap';
import { ownSocketFile, removeIfSame, removeStale, socketFileAt } from '../../../src/engine/socket-file.ts';
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
