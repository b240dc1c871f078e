/**
 * Keys about sockets that this system cannot do, or does not allow to this process.
 *
 * Place: asked at the start and at each new configuration, before anything is bound, and by `lb4 check`.
 */
import type { ConfigIssue, Path } from '../config/report/issue.ts';
import type { Config } from '../config/schema/schema.ts';
import { connectOptions, listenOptions } from '../config/socket-options.ts';
import { missingOptions, type Missing, type System } from '../host/socket-support.ts';

/** Options whose keys have other names. */
const KEYS: Partial<Record<Missing['option'], string>> = {
  userTimeoutMs: 'userTimeout',
  deferAcceptMs: 'deferAccept',
  sendBufferBytes: 'sendBuffer',
  receiveBufferBytes: 'receiveBuffer',
};

/** @param system default: this one */
export function socketProblems({ listeners, upstreams }: Config, system?: System): readonly ConfigIssue[] {
  return [
    ...listeners.flatMap((listener, i) =>
      missingOptions(listenOptions(listener), system).map(missing => issue(missing, ['listeners', i])),
    ),
    ...upstreams.flatMap((upstream, i) =>
      missingOptions(connectOptions(upstream), system)
        // It may come: until then each connect fails.
        .filter(({ isAbsent }) => isAbsent !== true)
        .map(missing => issue(missing, ['upstreams', i])),
    ),
  ];
}

function issue({ option, why }: Missing, at: Path): ConfigIssue {
  const expected = 'what this system can do';
  const message = `cannot be set here: ${why}`;
  return { path: [...at, KEYS[option] ?? option], kind: 'value', expected, got: why, message };
}
