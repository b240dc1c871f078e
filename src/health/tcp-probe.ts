/**
 * The `tcp` probe: passes when the backend accepts a connection within the timeout.
 *
 * Place: one kind of probe; uses the engine, so that it connects exactly as sessions do.
 * Why it ends with FIN and not with a reset: servers that are not hardened log or even count resets against
 * the client (MySQL's max_connect_errors), and a few TIME_WAITs on our side cost nothing.
 */
import { formatDuration } from '../config/duration.ts';
import type { Engine } from '../engine/engine.ts';
import { failed, NOT_MADE, PASSED, type Probe } from './probe.ts';
import { isLocal } from './probe-failure.ts';

export function createTcpProbe(engine: Engine, { timeoutMs }: { timeoutMs: number }): Probe {
  return ({ address }, done) =>
    engine.connect(address, { timeoutMs }, result => {
      if (result.ok) {
        result.connection.finish();
        done(PASSED);
        return;
      }
      const { reason, code } = result.failure;
      if (reason === 'localResources' || isLocal(code, address.kind)) done(NOT_MADE);
      else if (reason === 'timeout') done(failed(`no answer within ${formatDuration(timeoutMs)}`));
      else done(failed(`${reason} (${code})`));
    });
}
