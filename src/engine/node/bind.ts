/**
 * Binds a listening socket, and says in plain words why it cannot.
 *
 * Place: the first half of `listen`; node-listener.ts is the second.
 * Invariants: rejects with `Lb4Error` LB4_LISTEN_FAILED naming the address, cause kept. A unix socket file is
 * replaced only if it is a socket and nobody answers on it; a running program or any other file is left alone.
 */
import { lstat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';

import { formatAddress, type Address, type UnixAddress } from '../../support/address.ts';
import { Lb4Error, systemCode } from '../../errors.ts';

/** The kernel's accept queue; net.core.somaxconn caps it. */
const BACKLOG = 4096;

/** Makes `server` listen on the address; resolves to the address it has. */
export async function bind(server: Server, address: Address): Promise<Address> {
  try {
    if (address.kind === 'unix') {
      await bindUnix(server, address);
      return address;
    }
    await bindTcp(server, address.host, address.port);
    return boundAddress(server, address);
  } catch (error) {
    const message = `cannot listen on ${formatAddress(address)}: ${inPlainWords(error)}`;
    throw new Lb4Error('LB4_LISTEN_FAILED', message, { cause: error });
  }
}

async function bindTcp(server: Server, host: string, port: number): Promise<void> {
  if (host !== '') {
    await listen(server, { host, port });
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

/** A socket file is stale when nobody accepts on it: its program has gone without removing it. */
async function isStaleSocket(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) return false;
  const socket = connect({ path });
  const stale = await new Promise<boolean>(resolve => {
    socket.once('connect', () => resolve(false));
    socket.once('error', error => resolve(systemCode(error) === 'ECONNREFUSED'));
  });
  socket.destroy();
  return stale;
}

async function listen(
  server: Server,
  where: { readonly host: string; readonly port: number } | { readonly path: string },
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
    server.listen({ ...where, backlog: BACKLOG });
  });
}

function boundAddress(server: Server, asked: Address): Address {
  const bound = server.address();
  if (bound === null || typeof bound === 'string') return asked;
  return { kind: 'tcp', host: bound.address, port: bound.port };
}

const PLAIN_WORDS: ReadonlyMap<string, string> = new Map([
  ['EADDRINUSE', 'the address is in use by another program'],
  ['EACCES', 'permission denied; ports below 1024 need root or CAP_NET_BIND_SERVICE'],
  ['EADDRNOTAVAIL', 'no interface of this machine has this address'],
  ['ENOTFOUND', 'the name cannot be resolved'],
  ['ENOENT', 'the directory does not exist'],
]);

function inPlainWords(error: unknown): string {
  const code = systemCode(error);
  const words = PLAIN_WORDS.get(code) ?? (error instanceof Error ? error.message : '');
  return words === '' || words === code ? code : `${code}, ${words}`;
}
