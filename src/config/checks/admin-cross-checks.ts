/**
 * An admin API that other machines can reach, and that needs no token, is refused.
 *
 * Place: a part of cross-checks.ts.
 */
import { isIP } from 'node:net';
import { parseAddress } from '../../support/address.ts';
import { splitZone } from '../../support/zone.ts';
import { field } from '../schema/field.ts';
import { BIND_ALLOWS } from '../schema/fields.ts';
import type { Finding } from './finding.ts';

export function adminCrossChecks(admin: unknown): Finding[] {
  const bind = field(admin, 'bind');
  const parsed = typeof bind === 'string' ? parseAddress(bind, BIND_ALLOWS) : undefined;
  if (parsed?.ok !== true || parsed.address.kind === 'unix') return [];
  if (field(admin, 'tokenFile') !== undefined || isLoopback(parsed.address.host)) return [];
  const expected =
    'an address that only this machine can reach, such as 127.0.0.1:9090, because there is no tokenFile';
  return [{ path: ['admin', 'bind'], expected }];
}

function isLoopback(host: string): boolean {
  const [address] = splitZone(host);
  if (isIP(address) === 4) return address.startsWith('127.');
  return address === '::1' || address === 'localhost' || /^::ffff:127\./.test(address);
}
