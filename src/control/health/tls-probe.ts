/**
 * The `tls` probe: passes when a TLS handshake succeeds and, unless switched off, the certificate is good.
 *
 * Place: one kind of probe, over node:tls. Ends with close_notify and a FIN, like a client that has changed its
 * mind; TLS servers do not log that as an error.
 */
import { connect } from 'node:tls';
import { startAttempt } from './attempt.ts';
import { PASSED, type Probe, type ProbeResult } from './probe.ts';
import { failureOf } from './probe-failure.ts';
import { leave } from './probe-socket.ts';
import { dial, type DialDeps } from './dial.ts';
import { noAnswer } from './no-answer.ts';
import type { TlsSettings } from './tls-settings.ts';

export interface TlsProbeSettings {
  readonly timeoutMs: number;
  readonly tls: TlsSettings;
}

export function createTlsProbe({ timeoutMs, tls }: TlsProbeSettings, deps: DialDeps): Probe {
  const { setTimer } = deps;
  return (target, done) =>
    startAttempt<ProbeResult>({ timeoutMs, setTimer, done }, settle => {
      const abandon = dial(target, { timeoutMs, ...deps }, dialled => {
        if (!dialled.ok) {
          settle(dialled.result);
          return;
        }
        const socket = connect({ socket: dialled.socket, ...tls(target) });
        socket.once('secureConnect', () => {
          leave(socket, { setTimer, timeoutMs });
          settle(PASSED);
        });
        socket.on('error', error => settle(failureOf(error, dialled.kind)));
      });
      return { abandon, late: () => noAnswer(timeoutMs) };
    });
}
