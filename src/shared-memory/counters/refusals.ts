/**
 * The reasons for which gates of a listener refuse clients, each with its cells: refused, and only counted.
 *
 * Place: a part of the layout. They are words of `model/termination.ts`, which says what they mean.
 */

export const REFUSALS = [
  'noProxyHeader',
  'badProxyHeader',
  'denied',
  'clientSessions',
  'clientRate',
  'networkSessions',
  'networkRate',
  'listenerRate',
  'noClientHello',
  'badClientHello',
  'noRoute',
  'noTls',
  'badHandshake',
  'badCertificate',
] as const;
export type Refusal = (typeof REFUSALS)[number];

export function isRefusal(reason: string): reason is Refusal {
  return (REFUSALS as readonly string[]).includes(reason);
}

/** `dryRun`: the client was let in all the same. */
export const REFUSED_STATES = ['refused', 'dryRun'] as const;

/** Reason and state of each cell. */
export const REFUSED: readonly (readonly [reason: Refusal, state: string])[] = REFUSALS.flatMap(reason =>
  REFUSED_STATES.map(state => [reason, state] as const),
);
