/**
 * Addresses to listen at, written as one with a range of ports: `:5000-5009`.
 *
 * Place: the configuration's binds; everything after it knows single addresses only.
 */
import { parseAddress, type Address } from './address.ts';

/** Ports that one range may have. */
export const MOST_PORTS = 1000;

export type ParsedBind =
  | { readonly ok: true; readonly addresses: readonly Address[] }
  | { readonly ok: false; readonly expected: string };

/** What `parseAddress` allows for an address that lb4 listens at. */
const ALLOWS = { anyHost: true, anyPort: true } as const;
const RANGE = /^(?!unix:)(?<host>.*:)(?<first>\d{1,5})-(?<last>\d{1,5})$/;

/** One address, or all those of a range in their order. */
export function parseBind(text: string): ParsedBind {
  const { host, first, last } = RANGE.exec(text)?.groups ?? {};
  if (host === undefined || first === undefined || last === undefined) {
    const parsed = parseAddress(text, ALLOWS);
    return parsed.ok ? { ok: true, addresses: [parsed.address] } : parsed;
  }
  const [from, to] = [Number(first), Number(last)];
  if (from < 1 || to > 65_535 || to < from || to - from >= MOST_PORTS) {
    return { ok: false, expected: `a range of 1 to ${MOST_PORTS} ports from 1 to 65535, such as :5000-5009` };
  }
  const parsed = parseAddress(`${host}${from}`, ALLOWS);
  if (!parsed.ok) return parsed;
  const { address } = parsed;
  if (address.kind === 'unix') return { ok: true, addresses: [address] };
  const addresses = Array.from({ length: to - from + 1 }, (_, i) => ({ ...address, port: from + i }));
  return { ok: true, addresses };
}
