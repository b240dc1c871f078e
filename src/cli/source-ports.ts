/**
 * How many source ports the system has for connections to one address.
 *
 * Place: doctor/ judges by it, `/metrics` shows it.
 */
import type { ReadFile } from '../support/cgroup.ts';
import { pathOf, sysctl, textOf } from './doctor/kernel-files.ts';

export const PORT_RANGE = 'net.ipv4.ip_local_port_range';

/** Undefined where the system does not say. */
export function sourcePortCount(read: ReadFile): number | undefined {
  const [from, to] = sysctl(read, PORT_RANGE) ?? [];
  if (from === undefined || to === undefined) return undefined;
  return to - from + 1 - reservedWithin(read, from, to);
}

/** Ranges that the system gives to no outgoing connection: `8080,9000-9100`. */
export function reservedPorts(read: ReadFile): readonly (readonly [number, number])[] {
  const text = textOf(read, pathOf('net.ipv4.ip_local_reserved_ports'))?.trim() ?? '';
  if (text === '') return [];
  return text.split(',').map(range => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return [first, last] as const;
  });
}

function reservedWithin(read: ReadFile, from: number, to: number): number {
  return reservedPorts(read).reduce(
    (sum, [first, last]) => sum + Math.max(Math.min(last, to) - Math.max(first, from) + 1, 0),
    0,
  );
}
