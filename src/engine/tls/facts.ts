/**
 * What a handshake has agreed on, and what it has shown of the peer.
 *
 * Place: asked of Node once, when the handshake is over.
 */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';

import type { TlsFacts, TlsFailure } from '../tls.ts';

/** `hasVerified`: the peer's certificate was asked for, and is good. */
export function factsOf(stream: TLSSocket, hasVerified: boolean): TlsFacts {
  const { servername, alpnProtocol } = stream as { servername?: unknown; alpnProtocol?: unknown };
  return {
    version: stream.getProtocol() ?? '',
    cipher: stream.getCipher().name,
    isResumed: stream.isSessionReused(),
    serverName: typeof servername === 'string' && servername !== '' ? servername.toLowerCase() : undefined,
    alpn: typeof alpnProtocol === 'string' && alpnProtocol !== '' ? alpnProtocol : undefined,
    certificate: hasVerified ? certificateOf(stream) : undefined,
  };
}

/** The client's certificate has to be good where there is one; `isRequired`: and there has to be one. */
export function judgeClient(stream: TLSSocket, isRequired: boolean): TlsFailure | undefined {
  // OpenSSL calls a resumed session without a certificate verified.
  if (stream.getPeerX509Certificate() === undefined) {
    return isRequired ? refused('ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') : undefined;
  }
  const error = verifyErrorOf(stream);
  if (error === null) return undefined;
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  return refused(typeof code === 'string' ? code : 'ERR_TLS_UNVERIFIED');
}

/** Null: none. Node documents it for its own server only: where it looks different nothing counts as verified. */
function verifyErrorOf(stream: TLSSocket): unknown {
  const handle: unknown = Reflect.get(stream, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const verifyError: unknown = Reflect.get(handle, 'verifyError');
  return typeof verifyError === 'function' ? (Reflect.apply(verifyError, handle, []) as unknown) : undefined;
}

function refused(code: string): TlsFailure {
  return { reason: 'certificate', code };
}

function certificateOf(stream: TLSSocket): TlsFacts['certificate'] {
  const certificate = stream.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  // Either may be missing, which Node's types do not say.
  const [subject, alternatives] = [textOf(certificate.subject), textOf(certificate.subjectAltName)];
  const lines = subject.split('\n').filter(line => line !== '');
  const name = commonNameOf(certificate) ?? /(?:^|, )DNS:([^,]+)/.exec(alternatives)?.[1] ?? '';
  return { name, subject: lines.join(', ') };
}

/** The first one as the authority has written it: `subject` has backslashes where RFC 2253 wants them. */
function commonNameOf(certificate: X509Certificate): string | undefined {
  const subject: unknown = certificate.toLegacyObject().subject;
  if (typeof subject !== 'object' || subject === null) return undefined;
  const names: unknown = Reflect.get(subject, 'CN');
  const first: unknown = Array.isArray(names) ? names[0] : names;
  return typeof first === 'string' ? first : undefined;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
