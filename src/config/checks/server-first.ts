/**
 * A probable mistake: an upstream waits for its clients to speak first, and its checks wait for its backends to.
 *
 * Place: a part of warnings.ts, with the same invariants.
 */
import type { ConfigIssue } from '../report/issue.ts';
import type { UpstreamConfig } from '../schema/schema.ts';

/** The presets of checks whose servers greet their clients. */
const GREETING = ['mysql', 'smtp', 'ssh'];

export function serverFirst(
  { name, connectWhen, health }: UpstreamConfig,
  path: ConfigIssue['path'],
): ConfigIssue[] {
  if (connectWhen.when === 'now' || health.type !== 'sendExpect') return [];
  const { preset, send, sendHex } = health;
  const greets =
    preset === undefined ? send === undefined && sendHex === undefined : GREETING.includes(preset);
  if (!greets) return [];
  return [
    {
      path: [...path, 'connectWhen'],
      kind: 'value',
      expected: 'now, for a protocol in which the server speaks first',
      got: connectWhen.when,
      message: `the checks of upstream ${name} wait for its backends to speak first, and so do its clients: none of them will send a first byte, and all are reset after connectWhen.timeout`,
    },
  ];
}
