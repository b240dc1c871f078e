/**
 * The `tcp` probe: passes when the backend accepts a connection within the timeout.
 *
 * Place: one kind of probe; uses the engine, so that it connects exactly as sessions do.
 * Why it ends with a FIN and not with a reset: some servers log resets or even count them against the client (MySQL's
 * max_connect_errors), and a few TIME_WAITs on lb4's side cost nothing.
 */
import { formatDuration } from '../../support/duration.ts';
import type { TryAddress } from '../../engine/address-walk.ts';
import { isOfThisMachine } from '../../engine/connect-failure.ts';
import type { ConnectResult, Engine } from '../../engine/engine.ts';
import type { SendProxy } from '../../model/send-proxy.ts';
import { endsOfConnection, probeHeader } from './probe-header.ts';
import { failed, NOT_MADE, PASSED, type Probe } from './probe.ts';

export interface TcpProbeSettings {
  readonly timeoutMs: number;
  /** The header that a connection begins with. */
  readonly sendProxy?: SendProxy['version'] | undefined;
}

export function createTcpProbe(engine: Engine, { timeoutMs, sendProxy }: TcpProbeSettings): Probe {
  return ({ addresses }, done) => {
    const open: TryAddress<ConnectResult> = (address, shareMs, tried) =>
      engine.connect(address, { timeoutMs: shareMs }, tried);
    return addresses.start(timeoutMs, open, result => {
      if (result.ok) {
        const { connection } = result;
        connection.finish(sendProxy && probeHeader(sendProxy, endsOfConnection(connection)));
        done(PASSED);
        return;
      }
      const { reason, code } = result.failure;
      if (isOfThisMachine(result.failure)) done(NOT_MADE);
      else if (reason === 'timeout') done(failed(`no answer within ${formatDuration(timeoutMs)}`));
      else done(failed(`${reason} (${code})`));
    });
  };
}
