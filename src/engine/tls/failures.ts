/**
 * What a failed handshake is called: the library's own code, and whose fault it is.
 *
 * Place: for handshakes with clients and with backends.
 */
import { systemCode } from '../../errors.ts';
import type { TlsFailure } from '../tls.ts';

/** Of OpenSSL's errors: the peer has refused our certificate, or has given none although it has to. */
const ABOUT_CERTIFICATES =
  /ALERT_(?:NO_CERTIFICATE|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_|UNKNOWN_CA)|_CERTIFICATE$|CERTIFICATE_VERIFY/;

/** For what Node's TLS has reported. */
export function failureOf(error: unknown): TlsFailure {
  const code = systemCode(error);
  return { reason: ABOUT_CERTIFICATES.test(code) ? 'certificate' : 'handshake', code };
}

export const CLOSED: TlsFailure = { reason: 'closed', code: 'ERR_TLS_CLOSED' };
export const RESET: TlsFailure = { reason: 'reset', code: 'ECONNRESET' };
