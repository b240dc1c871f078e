/** Datagrams to a unix socket: whole or not at all, without waiting. */
import t from 'tap';

import { DatagramSender, sendDatagram } from '../../../src/linux/datagram.ts';
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

const EAGAIN = 11;
const EMSGSIZE = 90;
const ECONNREFUSED = 111;
const EACCES = 13;

void t.test('a sender keeps its socket while the receiver is well, full, or takes no such length', t => {
  const { libc, opened, fail } = fakeLibc();
  const sender = new DatagramSender(libc, { kind: 'unix', path: '/log' });
  t.strictSame(opened, [], 'nothing is opened before there is something to send');
  t.equal(sender.send(Buffer.from('x')), undefined);
  fail('send', EAGAIN);
  t.equal(sender.send(Buffer.from('x')), 'EAGAIN');
  fail('send', EMSGSIZE);
  t.equal(sender.send(Buffer.from('x')), 'EMSGSIZE');
  t.equal(sender.send(Buffer.from('x')), undefined);
  t.strictSame(opened, ['open']);
  sender.close();
  sender.close();
  t.strictSame(opened, ['open', 'closed'], 'closed once');
  t.end();
});

void t.test('a sender whose receiver is gone connects again at the next message', t => {
  const { libc, opened, fail } = fakeLibc();
  const sender = new DatagramSender(libc, { kind: 'unix', path: '/log' });
  t.equal(sender.send(Buffer.from('x')), undefined);
  fail('send', ECONNREFUSED);
  t.equal(sender.send(Buffer.from('x')), 'ECONNREFUSED');
  t.strictSame(opened, ['open', 'closed']);
  fail('connect', EACCES);
  t.equal(sender.send(Buffer.from('x')), 'EACCES');
  t.strictSame(opened, ['open', 'closed', 'open', 'closed'], 'a socket that cannot be connected is not kept');
  t.equal(sender.send(Buffer.from('x')), undefined);
  t.strictSame(opened, ['open', 'closed', 'open', 'closed', 'open']);
  t.end();
});

/** System calls that succeed, but for the next one of a name when that is to fail. */
function fakeLibc() {
  const opened: ('open' | 'closed')[] = [];
  const failures = new Map<string, number>();
  let errno = 0;
  const result = (call: string, value: number): number => {
    const code = failures.get(call);
    failures.delete(call);
    if (code === undefined) return value;
    errno = code;
    return -1;
  };
  const libc = {
    socket: () => {
      opened.push('open');
      return 7;
    },
    connect: () => result('connect', 0),
    send: (_fd: number, body: Uint8Array) => result('send', body.length),
    close: () => {
      opened.push('closed');
      return 0;
    },
    errno: () => errno,
  };
  return { libc, opened, fail: (call: 'connect' | 'send', code: number) => void failures.set(call, code) };
}
