/** Where a balancer in this process listens. */
import type { LoadBalancer } from '../../src/index.ts';
import { parseAddress, type TcpAddress } from '../../src/support/address.ts';

/** The first address of its first listener. */
export function addressOf(balancer: LoadBalancer): TcpAddress {
  const parsed = parseAddress(balancer.snapshot().listeners[0]?.addresses[0] ?? '');
  if (!parsed.ok || parsed.address.kind !== 'tcp') throw new Error('not a TCP address');
  return parsed.address;
}
