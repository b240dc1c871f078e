/**
 * A probable mistake: an upstream or its listener waits for the clients to speak first, and the checks of the upstream
 * wait for its backends to.
 *
 * Place: a part of warnings.ts, with the same invariants.
 */
import type { ConfigIssue } from '../report/issue.ts';
import type { Config, UpstreamConfig } from '../schema/schema.ts';
import { targetsOf } from './targets.ts';

/** The presets of checks whose servers greet their clients. */
const GREETING = ['mysql', 'smtp', 'ssh'];

export function serverFirst(
  { name, connectWhen, health }: UpstreamConfig,
  path: ConfigIssue['path'],
  listeners: Config['listeners'],
): ConfigIssue[] {
  if (health.type !== 'sendExpect') return [];
  const { preset, send, sendHex } = health;
  const greets =
    preset === undefined ? send === undefined && sendHex === undefined : GREETING.includes(preset);
  if (!greets) return [];
  const deferring = listeners.flatMap((listener, i): ConfigIssue[] =>
    listener.deferAccept === 0 || !targetsOf(listener).includes(name)
      ? []
      : [
          {
            path: ['listeners', i, 'deferAccept'],
            kind: 'value',
            expected: '0, for a protocol in which the server speaks first',
            got: 'a duration',
            message: `the checks of upstream ${name} wait for its backends to speak first, and so do its clients: each of them waits for all of deferAccept`,
          },
        ],
  );
  if (connectWhen.when === 'now') return deferring;
  return [
    ...deferring,
    {
      path: [...path, 'connectWhen'],
      kind: 'value',
      expected: 'now, for a protocol in which the server speaks first',
      got: connectWhen.when,
      message: `the checks of upstream ${name} wait for its backends to speak first, and so do its clients: none of them will send a first byte, and all are reset after connectWhen.timeout`,
    },
  ];
}
