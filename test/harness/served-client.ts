/** Clients of a whole balancer over echoing backends: one that is served, and one that only connects. */
import { connect } from 'node:net';
import type { Test } from 'tap';
import type { LoadBalancer } from '../../src/index.ts';
import { connectClient } from './client.ts';
import { addressOf } from './listening-address.ts';
import type { Peer } from './peer.ts';

/** A session that has had its answer, and stays open. */
export async function served(t: Test, balancer: LoadBalancer): Promise<Peer> {
  const client = await connectClient(t, addressOf(balancer));
  await client.send('x');
  await client.untilText('x');
  return client;
}

/** Connects from an address that a strategy can tell; what becomes of it is not looked at. */
export function connectFrom(t: Test, balancer: LoadBalancer, localAddress: string): void {
  const { host, port } = addressOf(balancer);
  const socket = connect({ host, port, localAddress });
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
}
