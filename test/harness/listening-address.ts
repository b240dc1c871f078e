/** Addresses to listen at, and where a balancer in this process listens. */
import type { LoadBalancer } from '../../src/index.ts';
import { parseAddress, type Address, type TcpAddress } from '../../src/support/address.ts';

/** The first address of its first listener. */
export function addressOf(balancer: LoadBalancer): TcpAddress {
  const parsed = parseAddress(balancer.snapshot().listeners[0]?.addresses[0] ?? '');
  if (!parsed.ok || parsed.address.kind !== 'tcp') throw new Error('not a TCP address');
  return parsed.address;
}

/** An address to listen at, as `bind` writes it. */
export function listenAddress(text: string): Address {
  const parsed = parseAddress(text, { anyHost: true, anyPort: true });
  if (!parsed.ok) throw new Error(parsed.expected);
  return parsed.address;
}
