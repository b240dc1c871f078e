/** What closing listeners ask the kernel, and what they do where it refuses them a filter, or its tables of sockets. */
import { createServer } from 'node:net';
import t from 'tap';
import type { Libc } from '../../../src/linux/libc.ts';
import { isHandshakeUnderWay, refuseNewClients } from '../../../src/linux/stop-accepting.ts';
import { createWakeup } from '../../../src/linux/wakeup.ts';
import { kernelClient } from '../../harness/kernel-client.ts';
import { libc as realLibc, withoutLibc } from '../../harness/real-libc.ts';
import { until } from '../../harness/until.ts';

const over = (calls: Partial<Libc>): Libc => ({ ...realLibc(), ...calls });

const ADDRESS = { kind: 'tcp', host: '127.0.0.1', port: 80 } as const;

void t.test(
  'without a filter the queue of a TCP listener is made as short as can be',
  { skip: withoutLibc },
  async t => {
    const listens: number[][] = [];
    const libc = over({ setsockopt: () => -1, listen: (...args) => listens.push(args) });
    refuseNewClients(libc, 7, 'tcp');
    t.same(listens, [[7, 0]]);
  },
);

void t.test(
  'no handshake is waited for where sock_diag(7) is not to be had',
  { skip: withoutLibc },
  async t => {
    t.equal(isHandshakeUnderWay(over({ socket: () => -1 }), ADDRESS), false, 'no such socket');
    const closed: number[] = [];
    const close = (fd: number) => closed.push(fd);
    t.equal(
      isHandshakeUnderWay(over({ socket: () => 9, send: () => -1, close }), ADDRESS),
      false,
      'no such request',
    );
    t.same(closed, [9]);
  },
);

void t.test('an eventfd that cannot be made is named with its error', { skip: withoutLibc }, async t => {
  const libc = over({ eventfd: () => -1, errno: () => 24 });
  t.throws(() => createWakeup(libc), { code: 'EMFILE', message: /eventfd/ });
});

for (const [listener, client] of [
  ['127.0.0.1', '127.0.0.1'],
  ['0.0.0.0', '127.0.0.1'],
  ['::', '127.0.0.1'],
  ['::', '::1'],
  ['::1', '::1'],
] as const) {
  const what = `a handshake of ${client} with a listener on ${listener} is seen while it has not ended`;
  void t.test(what, { skip: withoutLibc }, async t => {
    const libc = over({});
    const server = createServer();
    await new Promise<void>(resolve => server.listen({ host: listener, port: 0 }, resolve));
    t.teardown(() => server.close());
    const at = server.address();
    if (at === null || typeof at === 'string') throw new Error('it listens');
    const address = { kind: 'tcp', host: at.address, port: at.port } as const;
    t.equal(isHandshakeUnderWay(libc, address), false, 'nobody connects');
    const { begun } = kernelClient(t, libc, { ...address, host: client }, { isDeaf: true });
    t.equal(begun, 'EINPROGRESS');
    await until('it has begun', () => isHandshakeUnderWay(libc, address));
    t.equal(isHandshakeUnderWay(libc, { ...address, port: at.port ^ 1 }), false, 'of another port');
  });
}
