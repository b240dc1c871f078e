/**
 * What destinations of the log need of the system: datagrams to unix sockets, and what a TCP receiver has acknowledged.
 *
 * Place: passed to the log by the command line. The C library is loaded when it is first needed.
 */
import type { Socket } from 'node:net';
import { descriptorOf } from '../support/descriptor.ts';
import { SIOCOUTQ } from './abi.ts';
import { DatagramSender } from './datagram.ts';
import { loadLibc, type LibcResult } from './libc.ts';

export interface SystemSinks {
  /** Throws an error with the reason where the C library cannot be loaded. */
  openMessages(path: string): DatagramSender;
  /** Undefined where the system does not show it. */
  unacknowledged(socket: Socket): number | undefined;
}

export function createSystemSinks(load: () => LibcResult = loadLibc): SystemSinks {
  let loaded: LibcResult | undefined;
  const int32 = Buffer.alloc(4);
  const libcOrReason = (): LibcResult => (loaded ??= load());
  return {
    openMessages(path) {
      const result = libcOrReason();
      if (!result.ok) throw new Error(`unix datagrams take the C library: ${result.reason}`);
      return new DatagramSender(result.libc, { kind: 'unix', path });
    },
    unacknowledged(socket) {
      const fd = descriptorOf(socket);
      const result = libcOrReason();
      if (fd === undefined || !result.ok) return undefined;
      return result.libc.ioctl(fd, SIOCOUTQ, int32) < 0 ? undefined : int32.readInt32LE(0);
    },
  };
}
