/** A listener that lets clients in with their first bytes: the kernel keeps back those that say nothing. */
import t, { type Test } from 'tap';

import type { Connection, Engine } from '../../../src/engine/engine.ts';
import { createNodeEngine } from '../../../src/engine/node/node-engine.ts';
import { loadLibc, type Libc } from '../../../src/linux/libc.ts';
import type { SocketOptions } from '../../../src/support/socket.ts';
import { anywhere, STOPPED_CLOCK, type Family } from '../../contracts/engine/fixture.ts';
import { connectClient } from '../../harness/client.ts';
import { newEpollEngine } from '../../harness/epoll-engine.ts';
import { until } from '../../harness/until.ts';

const KEPT_BACK: SocketOptions = { deferAcceptMs: 30_000 };

const loaded = loadLibc();
if (loaded.ok) tests(loaded.libc);
else t.pass(`skipped: ${loaded.reason}`, { skip: true });

async function listen(t: Test, engine: Engine, family: Family = 'IPv4') {
  const accepted: Connection[] = [];
  const handlers = { onClient: (client: Connection) => void accepted.push(client) };
  const listener = await engine.listen(anywhere(t, family), handlers, KEPT_BACK);
  t.teardown(async () => {
    await listener.close();
    for (const client of accepted) client.reset();
  });
  return { listener, accepted };
}

const ports = (clients: readonly Connection[]): number[] => clients.map(client => client.peerPort);

function tests(libc: Libc): void {
  const engines = {
    epoll: () => newEpollEngine(),
    node: () => createNodeEngine({ clock: STOPPED_CLOCK, libc }),
  };
  for (const name of ['epoll', 'node'] as const) {
    void t.test(`${name} engine: a client that says nothing is not let in`, async t => {
      const { listener, accepted } = await listen(t, engines[name]());
      const silent = await connectClient(t, listener.address);
      const speaks = await connectClient(t, listener.address);
      await speaks.send('hello');
      await until('one is let in', () => accepted.length > 0);
      t.strictSame(ports(accepted), [speaks.socket.localPort], 'the second to connect, the first to speak');

      await silent.send('late');
      await until('the other follows', () => accepted.length === 2);
      const { localPort } = silent.socket;
      t.strictSame(ports(accepted), [speaks.socket.localPort, localPort]);
    });

    void t.test(`${name} engine: the first bytes are there with the client`, async t => {
      const { listener, accepted } = await listen(t, engines[name]());
      const client = await connectClient(t, listener.address);
      await client.send('first');
      await until('it is let in', () => accepted.length === 1);
      const shown: string[] = [];
      accepted[0]!.peek(64, bytes => shown.push(Buffer.from(bytes).toString()));
      await until('its bytes are shown', () => shown.length > 0);
      t.equal(shown[0], 'first');
    });

    void t.test(`${name} engine: unix sockets let clients in at once`, async t => {
      const { listener, accepted } = await listen(t, engines[name](), 'unix');
      await connectClient(t, listener.address);
      await until('it is let in', () => accepted.length === 1);
      t.equal(accepted.length, 1);
    });

    void t.test(`${name} engine: who speaks while the listener closes is still let in`, async t => {
      const { listener, accepted } = await listen(t, engines[name]());
      const client = await connectClient(t, listener.address);
      const closed = listener.close();
      await client.send('just in time');
      await closed;
      t.strictSame(ports(accepted), [client.socket.localPort]);
    });
  }

  void t.test('node engine without the C library: clients are let in at once', async t => {
    const { listener, accepted } = await listen(t, createNodeEngine({ clock: STOPPED_CLOCK }));
    await connectClient(t, listener.address);
    await until('it is let in', () => accepted.length === 1);
    t.equal(accepted.length, 1);
  });
}
