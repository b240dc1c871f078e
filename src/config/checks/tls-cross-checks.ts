/**
 * Keys of `tls` that need or exclude others, of listeners and of upstreams.
 *
 * Place: a part of cross-checks.ts, with the same invariants.
 */
import type { Path } from '../report/issue.ts';
import { field } from '../schema/field.ts';
import type { Finding } from './finding.ts';

export function listenerTlsChecks(listener: unknown, path: Path): Finding[] {
  const tls = field(listener, 'tls');
  if (typeof tls !== 'object' || tls === null) return [];
  const at = [...path, 'tls'];
  const has = (key: string): boolean => field(tls, key) !== undefined;
  const findings: Finding[] = pairs(tls, at);
  if (field(listener, 'sni') !== undefined) {
    const expected =
      'no tls together with sni: TLS ends here, or goes through to backends by name (use two listeners)';
    findings.push({ path: at, expected });
  }
  if (!has('cert') && !has('key') && !has('certificates'))
    findings.push({ path: at, expected: 'cert and key, or certificates' });
  if (has('ocsp') && !has('cert')) findings.push({ path: [...at, 'ocsp'], expected: 'no ocsp without cert' });
  if (has('clientCert') && !has('clientCa'))
    findings.push({ path: [...at, 'clientCert'], expected: 'no clientCert without clientCa' });
  return findings;
}

export function upstreamTlsChecks(upstream: unknown, path: Path): Finding[] {
  const tls = field(upstream, 'tls');
  if (tls === undefined || tls === null || tls === false) return [];
  const pool = field(upstream, 'pool');
  const warm = field(pool, 'warm');
  const sendProxy = field(upstream, 'sendProxy') ?? 'off';
  const findings: Finding[] = [];
  if (field(pool, 'reuse') === true)
    findings.push({ path: [...path, 'pool', 'reuse'], expected: 'no reuse with tls' });
  if (typeof warm === 'number' && warm > 0 && sendProxy !== 'off' && sendProxy !== false) {
    const expected =
      'no spare connections with sendProxy and tls: the header comes before TLS, and names a client that is not there yet';
    findings.push({ path: [...path, 'pool', 'warm'], expected });
  }
  if (typeof tls !== 'object') return findings;
  return [...findings, ...pairs(tls, [...path, 'tls'])];
}

function pairs(tls: object, path: Path): Finding[] {
  const cert = field(tls, 'cert');
  const key = field(tls, 'key');
  if ((cert === undefined) === (key === undefined)) return [];
  const [given, missing] = cert === undefined ? ['key', 'cert'] : ['cert', 'key'];
  return [{ path: [...path, given], expected: `${given} together with ${missing}` }];
}
