/**
 * What an error of a socket, of TLS or of the HTTP parser says about the backend, in words for people.
 *
 * Place: probes over node:net, node:tls and node:http. Errors of this machine (no descriptor, port or memory
 * left) are no result; src/engine/connect-failure.ts recognises them, as for sessions.
 * Source: error codes as Node 20 to 26 give them; verification codes are OpenSSL's X509_V_ERR names.
 */
import { connectFailure } from '../../engine/connect-failure.ts';
import { systemCode } from '../../errors.ts';
import type { Address } from '../../support/address.ts';
import { failed, NOT_MADE, type ProbeResult } from './probe.ts';

const OF_CERTIFICATES = /CERT|CRL|^(UNABLE_TO|INVALID_|PATH_LENGTH|HOSTNAME_MISMATCH)/;
/** The reason when the backend closed the connection without sending anything. */
export const CLOSED_AT_ONCE = 'closed before it answered';

/** `error` as a failure of the backend, or as no result when this machine is to blame. */
export function failureOf(error: unknown, kind: Address['kind']): ProbeResult {
  const code = systemCode(error);
  if (isLocal(code, kind)) return NOT_MADE;
  const text = textOf(error);
  if (OF_CERTIFICATES.test(code)) return failed(`certificate: ${text}`);
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') return failed(`no TLS handshake: ${text}`);
  if (code === 'HPE_HEADER_OVERFLOW') return failed('headers of more than 16 KiB');
  if (code.startsWith('HPE_')) return failed(`no HTTP answer: ${text}`);
  // Node invents this error when the other side closes in the middle; a real reset comes from a system call.
  if (code === 'ECONNRESET' && !isSystemCall(error)) return failed(CLOSED_AT_ONCE);
  if (/^E[A-Z0-9]+$/.test(code)) return failed(`${connectFailure(code, kind).reason} (${code})`);
  return failed(text);
}

/** Whether this machine lacked something, so that nothing was learned about the backend. */
function isLocal(code: string, kind: Address['kind']): boolean {
  // Ports used up, or no local address to connect from: a session may have another way, a check has none.
  return code === 'EADDRNOTAVAIL' || connectFailure(code, kind).reason === 'localResources';
}

function isSystemCall(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/** OpenSSL's own reason where there is one: its messages carry addresses of memory and names of source files. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
}
