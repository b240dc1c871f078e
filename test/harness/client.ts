/**
 * A scripted raw client: connects, half-closes, resets, reads as slowly as it is told.
 */
import { connect } from 'node:net';
import type { Test } from 'tap';

import type { Address } from '../../src/support/address.ts';
import { Peer } from './peer.ts';
import { pause } from './until.ts';

/** Resolves once nobody accepts at the address any more; clients that are still taken leave at once. */
export async function untilRefused(t: Test, address: Address): Promise<void> {
  for (;;) {
    try {
      (await connectClient(t, address)).reset();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED') return;
    }
    await pause(5);
  }
}

/**
 * Connects to a TCP or unix address; destroyed at the end of the test. Rejects when the connect fails.
 * @param localAddress that of the client; default: the system chooses
 */
export async function connectClient(t: Test, address: Address, localAddress?: string): Promise<Peer> {
  const socket = connect({
    ...(address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port }),
    ...{ allowHalfOpen: true, noDelay: true, localAddress },
  });
  t.teardown(() => socket.destroy());
  const peer = new Peer(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return peer;
}
