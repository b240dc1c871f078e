/** Datagrams to a unix socket: whole or not at all, without waiting. */
import t from 'tap';

import { sendDatagram } from '../../../src/linux/datagram.ts';
import { loadLibc } from '../../../src/linux/libc.ts';
import { notifySocket } from '../../harness/notify-socket.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

void t.test('a text arrives whole, at a path and at an abstract name', { skip }, async t => {
  if (!loaded.ok) return;
  for (const socket of [
    notifySocket(t, loaded.libc),
    notifySocket(t, loaded.libc, `@lb4-datagram-${process.pid}`),
  ]) {
    t.equal(
      sendDatagram(loaded.libc, { kind: 'unix', path: socket.path }, 'READY=1\nSTATUS=well'),
      undefined,
    );
    t.equal(await socket.report(/READY/), 'READY=1\nSTATUS=well');
  }
});

void t.test('what is wrong has the name of the system’s error', { skip }, async t => {
  if (!loaded.ok) return;
  const { libc } = loaded;
  const nowhere = { kind: 'unix', path: '/run/lb4-is-not-here' } as const;
  t.equal(sendDatagram(libc, nowhere, 'READY=1'), 'ENOENT');
  const socket = notifySocket(t, libc);
  const to = { kind: 'unix', path: socket.path } as const;
  const failing = (call: 'socket' | 'send') => ({ ...libc, [call]: () => -1, errno: () => 24 });
  t.equal(sendDatagram(failing('socket'), to, 'x'), 'EMFILE');
  t.equal(sendDatagram(failing('send'), to, 'x'), 'EMFILE');
  t.throws(() => sendDatagram(libc, { kind: 'unix', path: `/${'x'.repeat(200)}` }, 'x'), RangeError);
});

void t.test('a receiver that does not read costs no wait', { skip }, async t => {
  if (!loaded.ok) return;
  const socket = notifySocket(t, loaded.libc);
  const to = { kind: 'unix', path: socket.path } as const;
  let outcome: string | undefined;
  for (let i = 0; i < 100_000 && outcome === undefined; i++)
    outcome = sendDatagram(loaded.libc, to, 'x'.repeat(2_000));
  t.equal(outcome, 'EAGAIN');
});
