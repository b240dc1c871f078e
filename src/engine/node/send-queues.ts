/**
 * How many bytes are still on their way to a peer: written, and not acknowledged by its system.
 *
 * Place: asked by the relay before it resets a receiver, because SO_LINGER 0 throws away what the kernel has not
 * sent, and at deadlines, because a receiver that still takes bytes is not silent.
 * How: with the C library by SIOCOUTQ, in one or two system calls. Without it from the kernel's socket tables, whose
 * reading costs in proportion to all sockets of the machine (socket-tables.ts). Where neither is available the answer
 * is 'unknown', and the log has one line about that at the start (choose-engine.ts).
 * Invariant: `tell` is called exactly once for each look, perhaps before `look` has returned.
 */
import type { Socket } from 'node:net';

import type { SetTimer } from '../../support/timer.ts';
import { IPPROTO_TCP, SIOCOUTQ, TCP_CLOSE, TCP_INFO } from '../../linux/abi.ts';
import type { Libc } from '../../linux/libc.ts';
import { descriptorOf } from '../../support/descriptor.ts';
import { createSocketTables } from './socket-tables.ts';

/** A connection with something on its way to the peer. */
export interface Sending {
  readonly kernelSocket: Socket;
  readonly isTcp: boolean;
  /** Bytes that the kernel has not taken yet. */
  readonly queuedBytes: number;
}

/** Bytes still to be acknowledged; 0 also where the peer is gone; 'unknown' where the system does not show it. */
export type Left = number | 'unknown';

export interface SendQueues {
  look(sending: Sending, tell: (left: Left) => void): void;
}

export interface SendQueuesDeps {
  readonly setTimer: SetTimer;
  /** The directory of the tables `tcp` and `tcp6`. */
  readonly procNet: string;
  readonly libc: Pick<Libc, 'ioctl' | 'getsockopt'> | undefined;
}

export function createSendQueues(deps: SendQueuesDeps): SendQueues {
  const tables = createSocketTables(deps);
  return deps.libc === undefined ? tables : withSystemCalls(deps.libc, tables);
}

/** `otherwise` is asked where a filter forbids the call. */
function withSystemCalls(libc: Pick<Libc, 'ioctl' | 'getsockopt'>, otherwise: SendQueues): SendQueues {
  const int32 = Buffer.alloc(4);
  const state = Buffer.alloc(1);
  const stateLength = Buffer.alloc(4);

  /** Bytes for a peer that has reset are never acknowledged. */
  function isGone(fd: number): boolean {
    stateLength.writeUInt32LE(state.length);
    // `tcpi_state` is the first byte that TCP_INFO returns.
    return libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, state, stateLength) === 0 && state[0] === TCP_CLOSE;
  }

  return {
    look(sending, tell) {
      const fd = descriptorOf(sending.kernelSocket);
      if (fd === undefined || libc.ioctl(fd, SIOCOUTQ, int32) < 0) {
        otherwise.look(sending, tell);
        return;
      }
      const left = int32.readInt32LE(0) + sending.queuedBytes;
      tell(left > 0 && sending.isTcp && isGone(fd) ? 0 : left);
    },
  };
}
