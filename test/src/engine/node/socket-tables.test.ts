/** What is on its way to a peer, from the kernel's tables: few passes, none in vain, and no look without an answer. */
import { writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { endianness } from 'node:os';
import t, { type Test } from 'tap';

import type { readSendQueues } from '../../../../src/engine/node/proc-net-tcp.ts';
import type { Left, Sending } from '../../../../src/engine/node/send-queues.ts';
import { createSocketTables } from '../../../../src/engine/node/socket-tables.ts';
import { until } from '../../../harness/until.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';

const skip = endianness() === 'BE' ? 'the table below is that of a little-endian machine' : false;
const HEADING = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n';

/** A socket of which the table has a line, by its remote port. */
function sendingTo(remotePort: number, queuedBytes = 0): Sending {
  const socket: Socket = Object.defineProperties(new Socket(), {
    localAddress: { value: '127.0.0.1' },
    localPort: { value: 8080 },
    remoteAddress: { value: '127.0.0.1' },
    remotePort: { value: remotePort },
    remoteFamily: { value: 'IPv4' },
  });
  return { kernelSocket: socket, isTcp: true, queuedBytes };
}

function setUp(t: Test, read?: typeof readSendQueues) {
  const procNet = t.testdir();
  const time = new FakeClock();
  const tables = createSocketTables({ setTimer: time.setTimer, procNet, ...(read && { read }) });
  const path = join(procNet, 'tcp');
  return {
    time,
    write: (leftBytes: Readonly<Record<number, number>>): void => {
      const hex = (value: number, digits: number): string =>
        value.toString(16).toUpperCase().padStart(digits, '0');
      const lines = Object.entries(leftBytes).map(
        ([port, bytes]) =>
          `   0: 0100007F:1F90 0100007F:${hex(Number(port), 4)} 01 ${hex(bytes, 8)}:00000000 00:00000000\n`,
      );
      writeFileSync(path, HEADING + lines.join(''));
    },
    look: (sending: Sending): { left: Left | undefined } => {
      const answer: { left: Left | undefined } = { left: undefined };
      tables.look(sending, left => {
        if (answer.left !== undefined) t.fail('a look is answered twice');
        answer.left = left;
      });
      t.equal(answer.left, undefined, 'not before `look` has returned');
      return answer;
    },
  };
}

void t.test(
  'the first look needs no timer, and all of one turn are served by one pass',
  { skip },
  async t => {
    const { look, write } = setUp(t);
    write({ 1001: 0, 1002: 70, 1003: 9 });
    const answers = [look(sendingTo(1001)), look(sendingTo(1002, 30)), look(sendingTo(1002))];
    await until('all are answered', () => answers.every(({ left }) => left !== undefined));
    t.strictSame(
      answers.map(({ left }) => left),
      [0, 100, 70],
    );
  },
);

void t.test('after a pass the next one rests, the longer the table is', { skip }, async t => {
  const { look, write, time } = setUp(t);
  write(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [i + 1, i])));
  const first = look(sendingTo(5000));
  await until('the first is answered', () => first.left !== undefined && time.pending > 0);
  t.equal(first.left, 4999);
  const second = look(sendingTo(1));
  await time.advanceAndSettle(99);
  t.equal(second.left, undefined);
  await time.advanceAndSettle(2);
  await until('the second is answered', () => second.left !== undefined);
});

void t.test('a socket that no pass finds is gone', { skip }, async t => {
  const { look, write, time } = setUp(t);
  write({ 1: 1 });
  const answer = look(sendingTo(4711));
  await until('it is answered', () => {
    void time.advanceAndSettle(20);
    return answer.left !== undefined;
  });
  t.equal(answer.left, 0);
});

void t.test('a table that is not there is unknown', async t => {
  const { look } = setUp(t);
  const answer = look(sendingTo(1));
  await until('it is answered', () => answer.left !== undefined);
  t.equal(answer.left, 'unknown');
});

void t.test('a pass that fails for want of descriptors is made again, not taken for an answer', async t => {
  let passes = 0;
  const read: typeof readSendQueues = (_path, onSocket) => {
    passes += 1;
    if (passes === 1)
      return Promise.reject(Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
    onSocket('0100007F:1F90 0100007F:0001', 42);
    return Promise.resolve(2);
  };
  const { look, time } = setUp(t, read);
  const answer = look(sendingTo(1));
  await until('the pass has failed', () => time.pending > 0);
  t.equal(answer.left, undefined);
  await time.advanceAndSettle(250);
  await until('it is answered', () => answer.left !== undefined);
  t.equal(answer.left, 42);
  t.equal(passes, 2);
});

void t.test('nobody is looked up who cannot be found: without a peer, or a unix socket', async t => {
  const { look } = setUp(t);
  const gone = look({ kernelSocket: new Socket(), isTcp: true, queuedBytes: 0 });
  const unix = look({ kernelSocket: new Socket(), isTcp: false, queuedBytes: 0 });
  await until('both are answered', () => gone.left !== undefined && unix.left !== undefined);
  t.equal(gone.left, 0);
  t.equal(unix.left, 'unknown');
});
