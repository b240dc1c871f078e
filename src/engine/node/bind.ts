/**
 * Binds a listening socket, or reports in plain words why that failed.
 *
 * Place: the first half of `listen`; node-listener.ts is the second.
 * Invariant: rejects with `Lb4Error` LB4_LISTEN_FAILED naming the address, cause kept.
 */
import type { ListeningSocket, SocketOptions } from '../../support/socket.ts';
import type { Server } from 'node:net';

import type { Address, ListenAddress, TcpAddress } from '../../support/address.ts';
import { Lb4Error, systemCode } from '../../errors.ts';
import { withNamedZone } from '../../support/zone.ts';
import type { Libc } from '../../linux/libc.ts';
import { listenFailure } from '../../linux/listen-failure.ts';
import { bindListeningSockets, closeDescriptor } from '../../linux/listening-sockets.ts';
import type { SocketFile } from '../../linux/socket-file.ts';
import { backlogOf } from '../../linux/socket-options.ts';
import { bindUnix } from './bind-unix.ts';
import { listen } from './listen.ts';

export interface Bound {
  /** The address it is bound to. */
  readonly address: Address;
  /** The file of a unix socket that is bound here: to be removed with it, if it is still the same file. */
  readonly file?: SocketFile | undefined;
}

/** Makes `server` listen on the address, or on the socket that listens already. */
export async function bind(
  server: Server,
  where: ListenAddress | ListeningSocket,
  libc: Libc | undefined,
  options: SocketOptions,
): Promise<Bound> {
  const { backlog, early } = options;
  try {
    if (where.kind === 'listening') {
      // Listening once more sets the length of its queue anew.
      const { fd, address } = where;
      await listen(server, { fd }, (libc && backlogOf(libc, fd, address.kind)) ?? backlog);
      return { address };
    }
    if (where.kind === 'unix') return { address: where, file: await bindUnix(server, where, libc, backlog) };
    if (libc !== undefined && early !== undefined) return await bindEarly(server, where, libc, options);
    await bindTcp(server, where.host, where.port, backlog);
    return { address: boundAddress(server, where) };
  } catch (error) {
    if (error instanceof Lb4Error) throw error;
    throw listenFailure(where.kind === 'listening' ? where.address : where, error);
  }
}

/** With options that Node cannot set, or not soon enough. */
async function bindEarly(
  server: Server,
  where: TcpAddress,
  libc: Libc,
  options: SocketOptions,
): Promise<Bound> {
  const { address, fds } = await bindListeningSockets(libc, where, 1, options);
  const [fd = -1] = fds;
  try {
    await listen(server, { fd }, options.backlog);
  } catch (error) {
    closeDescriptor(libc, fd);
    throw error;
  }
  return { address };
}

async function bindTcp(
  server: Server,
  host: string,
  port: number,
  backlog: number | undefined,
): Promise<void> {
  if (host !== '') {
    // Given explicitly, `::` is IPv6 alone, so that it can stand beside 0.0.0.0 on the same port.
    await listen(server, { host: withNamedZone(host), port, ipv6Only: host === '::' }, backlog);
    return;
  }
  try {
    await listen(server, { host: '::', port }, backlog);
  } catch (error) {
    // Only a machine without IPv6 falls back: any other failure must not narrow the listener silently.
    if (!['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(systemCode(error))) throw error;
    await listen(server, { host: '0.0.0.0', port }, backlog);
  }
}

function boundAddress(server: Server, asked: Address): Address {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return asked;
  return { kind: 'tcp', host: bound.address, port: bound.port };
}
