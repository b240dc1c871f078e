/** What is asked of Node's handles, which look different on other systems. */
import { createServer, type Socket } from 'node:net';
import t from 'tap';
import { descriptorOf, queuedBytesOf } from '../../../src/support/descriptor.ts';

const withHandle = (handle: unknown): Socket => ({ _handle: handle }) as unknown as Socket;

void t.test('a socket that listens has a descriptor, and none once it is closed', async t => {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const fd = descriptorOf(server);
  t.ok(fd !== undefined && fd > 2, String(fd));
  server.close();
  t.equal(descriptorOf(server), undefined);
});

void t.test('a handle without one, as on Windows, has none, and nothing queued', async t => {
  for (const handle of [null, undefined, {}, { fd: -1 }, { fd: 'x', writeQueueSize: 'y' }]) {
    t.equal(descriptorOf(withHandle(handle)), undefined);
    t.equal(queuedBytesOf(withHandle(handle)), 0);
  }
  t.equal(queuedBytesOf(withHandle({ writeQueueSize: 5 })), 5);
});
