/**
 * The `tls` probe: passes when a TLS handshake succeeds and, unless switched off, the certificate is good.
 *
 * Place: one kind of probe, over node:tls. Ends with close_notify and a FIN, like a client that has changed its
 * mind; TLS servers do not log that as an error.
 */
import { connect } from 'node:tls';
import { PASSED, type Probe } from './probe.ts';
import { failureOf } from './probe-failure.ts';
import { leave } from './probe-socket.ts';
import type { DialDeps } from './dial.ts';
import { createDialledProbe } from './dialled-probe.ts';
import type { TlsSettings } from './tls-settings.ts';

export interface TlsProbeSettings {
  readonly timeoutMs: number;
  readonly tls: TlsSettings;
}

export function createTlsProbe({ timeoutMs, tls }: TlsProbeSettings, deps: DialDeps): Probe {
  const { setTimer } = deps;
  return createDialledProbe(timeoutMs, deps, ({ target, socket: plain, kind, settle }) => {
    const socket = connect({ socket: plain, ...tls(target) });
    socket.once('secureConnect', () => {
      leave(socket, { setTimer, timeoutMs });
      settle(PASSED);
    });
    socket.on('error', error => settle(failureOf(error, kind)));
  });
}
