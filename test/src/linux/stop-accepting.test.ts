/** What closing listeners do where the kernel refuses them a filter, or the tables of its sockets. */
import t from 'tap';
import { loadLibc, type Libc } from '../../../src/linux/libc.ts';
import { isHandshakeUnderWay, refuseNewClients } from '../../../src/linux/stop-accepting.ts';
import { createWakeup } from '../../../src/linux/wakeup.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;
const over = (calls: Partial<Libc>): Libc => {
  if (!loaded.ok) throw new Error(loaded.reason);
  return { ...loaded.libc, ...calls };
};

void t.test('without a filter the queue of a TCP listener is made as short as can be', { skip }, async t => {
  const listens: number[][] = [];
  const libc = over({ setsockopt: () => -1, listen: (...args) => listens.push(args) });
  refuseNewClients(libc, 7, 'tcp');
  t.same(listens, [[7, 0]]);
});

void t.test('no handshake is waited for where sock_diag(7) is not to be had', { skip }, async t => {
  t.equal(isHandshakeUnderWay(over({ socket: () => -1 }), 80), false, 'no such socket');
  const closed: number[] = [];
  const close = (fd: number) => closed.push(fd);
  t.equal(
    isHandshakeUnderWay(over({ socket: () => 9, send: () => -1, close }), 80),
    false,
    'no such request',
  );
  t.same(closed, [9]);
});

void t.test('an eventfd that cannot be made is named with its error', { skip }, async t => {
  const libc = over({ eventfd: () => -1, errno: () => 24 });
  t.throws(() => createWakeup(libc), { code: 'EMFILE', message: /eventfd/ });
});
