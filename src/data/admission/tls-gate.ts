/**
 * The gate at which TLS ends (`tls` of a listener): the client's handshake, after what comes before it in the clear.
 *
 * Place: behind the gates that judge by addresses or read raw bytes, before those that look at what the client says.
 * `Admission` holds it to its time.
 * Invariants:
 * - Each handshake that ends by itself, or by its timeout, is counted once; one that lb4 gives up for another reason is not.
 * - What a client has said in the clear is never taken for a part of what TLS protects: the engine sees to it.
 */
import { openingsOf } from '../../codec/starttls/index.ts';
import type { EngineTls, TlsFailure, TlsServerTerms } from '../../engine/tls.ts';
import type { Termination } from '../../model/termination.ts';
import type { Cells } from '../../shared-memory/counters/counters.ts';
import { HANDSHAKE_FAILURES, LISTENER, type HandshakeFailure } from '../../shared-memory/counters/layout.ts';
import type { Gate, Verdict } from './gate.ts';

export interface TlsGateDeps {
  readonly tls: EngineTls;
  /** The listener's. */
  readonly cells: Cells;
  now(): number;
}

/** OpenSSL's names for alerts that the peer has sent. */
const ALERT = /(SSLV3|TLSV1|TLSV13)_ALERT_/;

export function tlsGate<U>(terms: TlsServerTerms, deps: TlsGateDeps): Gate<U> {
  const { tls, cells } = deps;
  const { starttls, timeout } = terms.settings;
  const openings = openingsOf(starttls);
  const failed = (why: HandshakeFailure): void =>
    cells.add(LISTENER.handshakeFailures, HANDSHAKE_FAILURES.indexOf(why), 1);
  const verdict: Verdict<U> = {
    kind: 'tls',
    withinMs: timeout,
    begin: (client, done) => {
      const beganMs = deps.now();
      const cancel = tls.accept(client, terms, openings?.server(), result => {
        if (!result.ok) failed(result.failure.reason);
        else if (result.facts !== undefined) {
          cells.add(LISTENER.handshakes, Number(result.facts.isResumed), 1);
          cells.note(LISTENER.handshake, deps.now() - beganMs);
        }
        done(result);
      });
      return isLate => {
        if (isLate) failed('timeout');
        cancel();
      };
    },
  };
  return () => verdict;
}

/** How a session ends whose client's handshake has failed. */
export function handshakeFailed({ reason, code }: TlsFailure): Termination {
  const phase = 'admission';
  if (reason === 'closed' || reason === 'reset') return { by: 'client', phase, reason };
  if (reason === 'starttls') return { by: 'balancer', phase, reason: 'noTls' };
  const by = ALERT.test(code) ? 'client' : 'balancer';
  return { by, phase, reason: reason === 'certificate' ? 'badCertificate' : 'badHandshake' };
}
