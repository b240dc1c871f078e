/**
 * The `tls` probe: passes when a TLS handshake succeeds and, unless switched off, the certificate is good.
 *
 * Place: one kind of probe; reach.ts makes the handshake. Ends with close_notify and a FIN, like a client that has
 * changed its mind; TLS servers do not log that as an error.
 * Why it then waits a moment: with TLS 1.3 the client's side of the handshake ends before the server has seen the
 * client's certificate. A server that refuses it sends an alert; one that takes it sends session tickets or closes.
 */
import type { SetTimer } from '../../support/timer.ts';
import { systemCode } from '../../errors.ts';
import { PASSED, type Probe } from './probe.ts';
import { failureOf } from './probe-failure.ts';
import { leave } from './probe-socket.ts';
import { createDialledProbe, type ProbeTalk } from './dialled-probe.ts';
import type { ReachDeps } from './reach.ts';
import type { TlsSettings } from './tls-settings.ts';

/** The silence after the handshake that passes. */
const SILENCE_MS = 200;

export function createTlsProbe(timeoutMs: number, deps: ReachDeps & { readonly tls: TlsSettings }): Probe {
  const { setTimer } = deps;
  return createDialledProbe(timeoutMs, deps, talk => {
    leave(talk.socket, { setTimer, timeoutMs });
    judge(talk, setTimer, Math.min(SILENCE_MS, timeoutMs / 2));
  });
}

function judge({ socket, kind, settle, atDeadline }: ProbeTalk, setTimer: SetTimer, silenceMs: number): void {
  atDeadline(PASSED);
  const pass = (): void => {
    cancelTimer();
    settle(PASSED);
  };
  const cancelTimer = setTimer(pass, silenceMs);
  // Other errors are about how the server closes.
  socket.on('error', error => {
    if (systemCode(error).startsWith('ERR_SSL_')) settle(failureOf(error, kind));
  });
  socket.once('session', pass).once('end', pass).once('close', pass);
}
