/**
 * Binds a listening socket, and says in plain words why it cannot.
 *
 * Place: the first half of `listen`; node-listener.ts is the second.
 * Invariants: rejects with `Lb4Error` LB4_LISTEN_FAILED naming the address, cause kept. A unix socket file is
 * replaced only if it is a socket and nobody answers on it; a running program or any other file is left alone.
 */
import { unlink } from 'node:fs/promises';
import type { Server } from 'node:net';

import type { Address, UnixAddress } from '../../support/address.ts';
import type { ListeningSocket } from '../engine.ts';
import { systemCode } from '../../errors.ts';
import { withNamedZone } from '../../support/zone.ts';
import { isStaleSocket, LISTEN_BACKLOG, listenFailure } from '../listen-failure.ts';

/** Makes `server` listen on the address, or on the socket that listens already; resolves to the address it has. */
export async function bind(server: Server, where: Address | ListeningSocket): Promise<Address> {
  const address = where.kind === 'listening' ? where.address : where;
  try {
    if (where.kind === 'listening') {
      await listen(server, { fd: where.fd });
      return address;
    }
    if (address.kind === 'unix') {
      await bindUnix(server, address);
      return address;
    }
    await bindTcp(server, address.host, address.port);
    return boundAddress(server, address);
  } catch (error) {
    throw listenFailure(address, error);
  }
}

async function bindTcp(server: Server, host: string, port: number): Promise<void> {
  if (host !== '') {
    // Said in full, `::` is IPv6 alone, so that it can stand beside 0.0.0.0 on the same port.
    await listen(server, { host: withNamedZone(host), port, ipv6Only: host === '::' });
    return;
  }
  try {
    await listen(server, { host: '::', port });
  } catch (error) {
    // Only a machine without IPv6 falls back: any other failure must not narrow the listener silently.
    if (!['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(systemCode(error))) throw error;
    await listen(server, { host: '0.0.0.0', port });
  }
}

async function bindUnix(server: Server, { path }: UnixAddress): Promise<void> {
  try {
    await listen(server, { path });
  } catch (error) {
    if (systemCode(error) !== 'EADDRINUSE' || !(await isStaleSocket(path))) throw error;
    await unlink(path);
    await listen(server, { path });
  }
}

async function listen(
  server: Server,
  where:
    | { readonly host: string; readonly port: number; readonly ipv6Only?: boolean }
    | { readonly path: string }
    | { readonly fd: number },
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onError = (error: Error): void => {
      server.off('listening', onListening);
      reject(error);
    };
    const onListening = (): void => {
      server.off('error', onError);
      resolve();
    };
    server.once('error', onError);
    server.once('listening', onListening);
    server.listen({ ...where, backlog: LISTEN_BACKLOG });
  });
}

function boundAddress(server: Server, asked: Address): Address {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return asked;
  return { kind: 'tcp', host: bound.address, port: bound.port };
}
