/** What destinations of the log need of the system: datagrams to unix sockets, and what a TCP receiver has acknowledged. */
import { once } from 'node:events';
import { connect, createServer, Socket, type AddressInfo } from 'node:net';
import t, { type Test } from 'tap';

import { createSystemSinks } from '../../../src/linux/log-sinks.ts';
import { notifySocket } from '../../harness/notify-socket.ts';
import { libc, withoutLibc } from '../../harness/real-libc.ts';
import { until } from '../../harness/until.ts';

const systemSinks = createSystemSinks();

void t.test('messages arrive at a unix socket, one by one', { skip: withoutLibc }, async t => {
  const receiver = notifySocket(t, libc());
  const sender = systemSinks.openMessages(receiver.path);
  t.teardown(() => sender.close());
  t.equal(sender.send(Buffer.from('first')), undefined);
  t.equal(sender.send(Buffer.from('second')), undefined);
  t.strictSame(receiver.reports(), ['first', 'second']);
  t.throws(() => systemSinks.openMessages(`/${'x'.repeat(200)}`), RangeError);
});

void t.test(
  'bytes count as unacknowledged until the receiver’s system has room for them',
  { skip: withoutLibc },
  async t => {
    const { client, server } = await connected(t);
    t.equal(systemSinks.unacknowledged(client), 0);
    server.pause();
    const chunk = Buffer.alloc(256 * 1024);
    // Until the system takes no more: what is left in Node has then not even been sent.
    while (client.writableLength < chunk.length * 2) {
      client.write(chunk);
      await new Promise(setImmediate);
    }
    t.ok(Number(systemSinks.unacknowledged(client)) > 0);
    server.resume();
    await until(
      'all is acknowledged',
      () => client.writableLength === 0 && systemSinks.unacknowledged(client) === 0,
    );
  },
);

void t.test('without the C library the reason is named, and nothing is shown', async t => {
  let loads = 0;
  const sinks = createSystemSinks(() => {
    loads += 1;
    return { ok: false, reason: 'it needs Linux, this is darwin' };
  });
  t.equal(loads, 0, 'it is not loaded before it is needed');
  t.throws(() => sinks.openMessages('/dev/log'), {
    message: 'unix datagrams take the C library: it needs Linux, this is darwin',
  });
  const { client } = await connected(t);
  t.equal(sinks.unacknowledged(client), undefined);
  t.equal(loads, 1, 'and asked for once');
});

void t.test('a socket that is not connected, or closed, shows nothing', async t => {
  t.equal(systemSinks.unacknowledged(new Socket()), undefined);
  const { client } = await connected(t);
  client.destroy();
  t.equal(systemSinks.unacknowledged(client), undefined);
});

async function connected(t: Test): Promise<{ client: Socket; server: Socket }> {
  const listener = createServer();
  await new Promise<void>(done => listener.listen(0, '127.0.0.1', done));
  const client = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  const [server] = (await once(listener, 'connection')) as [Socket];
  if (client.connecting) await once(client, 'connect');
  t.teardown(() => {
    for (const each of [client, server]) each.destroy();
    listener.close();
  });
  return { client, server };
}
