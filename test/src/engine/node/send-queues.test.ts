/** What is on its way to a peer, by system calls. */
import { Socket } from 'node:net';
import t from 'tap';

import { SIOCOUTQ, TCP_CLOSE } from '../../../../src/linux/abi.ts';
import { createSendQueues, type Left, type Sending } from '../../../../src/engine/node/send-queues.ts';

const NO_PROC = '/nowhere';
const setTimer = () => () => undefined;

/** A kernel of which only the two calls are known. */
function kernel(unackedBytes: number, state = 1) {
  const calls: string[] = [];
  return {
    calls,
    ioctl(fd: number, request: number, argument: Uint8Array) {
      calls.push(`ioctl ${fd} ${request}`);
      if (unackedBytes < 0) return -1;
      Buffer.from(argument.buffer, argument.byteOffset).writeInt32LE(unackedBytes);
      return 0;
    },
    getsockopt(fd: number, _level: number, _option: number, value: Uint8Array) {
      calls.push(`getsockopt ${fd}`);
      value[0] = state;
      return 0;
    },
  };
}

function sending(queuedBytes = 0, fd = 7): Sending {
  const socket = new Socket();
  if (fd >= 0) Reflect.set(socket, '_handle', { fd });
  return { kernelSocket: socket, isTcp: true, queuedBytes };
}

async function look(libc: ReturnType<typeof kernel>, what: Sending): Promise<Left> {
  return await new Promise(resolve =>
    createSendQueues({ setTimer, procNet: NO_PROC, libc }).look(what, resolve),
  );
}

void t.test('one call tells that everything is acknowledged, before `look` has returned', t => {
  const libc = kernel(0);
  let left: Left | undefined;
  createSendQueues({ setTimer, procNet: NO_PROC, libc }).look(sending(), told => (left = told));
  t.equal(left, 0);
  t.strictSame(libc.calls, [`ioctl 7 ${SIOCOUTQ}`]);
  t.end();
});

void t.test('what Node still holds counts too', async t => {
  t.equal(await look(kernel(5000), sending(300)), 5300);
  t.equal(await look(kernel(0), sending(300)), 300);
});

void t.test('to a peer that has reset nothing is on its way, whatever the queue says', async t => {
  t.equal(await look(kernel(5000, TCP_CLOSE), sending(300)), 0);
});

void t.test(
  'where a filter forbids the call, or a socket has no descriptor, the tables are asked',
  async t => {
    t.equal(await look(kernel(-1), sending()), 0, 'a socket without a peer has nobody to send to');
    t.equal(await look(kernel(5000), sending(0, -1)), 0);
  },
);
