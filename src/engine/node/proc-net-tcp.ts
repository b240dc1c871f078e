/**
 * How many bytes the kernel still holds for a TCP peer, from /proc/net/tcp and tcp6.
 *
 * Place: the only source of this number without the C library (Node has no ioctl, hence no SIOCOUTQ); read by
 * socket-tables.ts. Linux only: elsewhere the files do not exist and `readSendQueues` rejects.
 * A line is `sl: local remote state tx_queue:rx_queue ...`; addresses are 32-bit words printed as the machine
 * holds them, so on little-endian machines the bytes of each word are reversed (proc(5)).
 */
import { accessSync, constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { endianness } from 'node:os';

import { bytesOfIPv4, bytesOfIPv6 } from '../../support/ip-bytes.ts';

export type TcpTable = 'tcp' | 'tcp6';

/** Where one connected socket stands in the tables. */
export interface TcpRow {
  readonly table: TcpTable;
  /** Local and remote address as the table prints them, such as `0100007F:1F90 0100007F:D431`. */
  readonly key: string;
}

/** The row of a connected TCP socket; undefined when the socket has lost its peer. */
export function tcpRow(socket: Socket): TcpRow | undefined {
  const { localAddress, localPort, remoteAddress, remotePort, remoteFamily } = socket;
  if (localAddress === undefined || localPort === undefined) return undefined;
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  const print = remoteFamily === 'IPv6' ? printIPv6 : printIPv4;
  return {
    table: remoteFamily === 'IPv6' ? 'tcp6' : 'tcp',
    key: `${print(localAddress)}:${printPort(localPort)} ${print(remoteAddress)}:${printPort(remotePort)}`,
  };
}

/** Whether there are tables that can be read. */
export function tablesTell(procNet: string): boolean {
  try {
    accessSync(`${procNet}/tcp`, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Receives the bytes not yet acknowledged of one socket; false ends the reading. */
export type OnSocket = (key: string, unackedBytes: number) => boolean;

/**
 * Reads one table, as far as `onSocket` wants it, and passes on each socket that can have something on its way.
 * Resolves to the number of lines read; rejects where the table cannot be read.
 */
export async function readSendQueues(path: string, onSocket: OnSocket): Promise<number> {
  const file = await open(path);
  try {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    let lines = 0;
    let rest = '';
    // The kernel hands out a page per read, so a table of any size is parsed in small turns.
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES, null);
      if (bytesRead === 0) return lines;
      const text = rest + buffer.toString('latin1', 0, bytesRead);
      let start = 0;
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
        lines++;
        if (!readLine(text, start, onSocket)) return lines;
        start = end + 1;
      }
      rest = text.slice(start);
    }
  } finally {
    await file.close();
  }
}

const READ_BYTES = 16 * 1024;
const TIME_WAIT = '06';

function readLine(text: string, lineStart: number, onSocket: OnSocket): boolean {
  const local = text.indexOf(': ', lineStart) + 2;
  const remote = text.indexOf(' ', local) + 1;
  const state = text.indexOf(' ', remote) + 1;
  // Most lines of a busy machine are connections that are over.
  if (text.startsWith(TIME_WAIT, state)) return true;
  // Two digits of state, a blank, then eight digits of tx_queue; not a number in the heading.
  const unackedBytes = Number.parseInt(text.slice(state + 3, state + 11), 16);
  return Number.isNaN(unackedBytes) || onSocket(text.slice(local, state - 1), unackedBytes);
}

const LITTLE_ENDIAN = endianness() === 'LE';

function printWord(bytes: readonly number[]): string {
  const ordered = LITTLE_ENDIAN ? bytes.toReversed() : bytes;
  return ordered.map(byte => byte.toString(16).padStart(2, '0').toUpperCase()).join('');
}

function printPort(port: number): string {
  return port.toString(16).padStart(4, '0').toUpperCase();
}

function printIPv4(address: string): string {
  return printWord(bytesOfIPv4(address));
}

function printIPv6(address: string): string {
  const bytes = bytesOfIPv6(address);
  return [0, 4, 8, 12].map(start => printWord(bytes.slice(start, start + 4))).join('');
}
