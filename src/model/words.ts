/**
 * Words from closed sets that more than one plane uses: states that operators set, states of backends and upstreams,
 * and how counts are shared.
 */
import type { MIRROR_FAILURES } from '../shared-memory/counters/layout.ts';

/** `drain`: no new sessions, the old ones run on. `maint`: the same, and it is not checked either. */
export type OperatorState = (typeof OPERATOR_STATES)[number];
export const OPERATOR_STATES = ['ready', 'drain', 'maint'] as const;

/**
 * The state of a backend, for people. `up` and `standby` are well; `standby` is a backup that is not needed. In panic
 * backends in other states get sessions as well.
 */
export type BackendStateWord =
  'up' | 'standby' | 'down' | 'unresolved' | 'ejected' | 'trial' | 'drain' | 'maint';

/** `down`: no backend gets sessions. */
export type UpstreamMode = 'normal' | 'backups' | 'panic' | 'down';

/**
 * Why an exchange failed: a word from a closed set, for programs, and a sentence for people. Neither ever holds a
 * password or a URL.
 */
export type MirrorFailure = (typeof MIRROR_FAILURES)[number];

export type MirrorMode = 'shared' | 'local';

/** Why nothing is shared: a word for programs and a sentence for people. */
export interface MirrorTrouble {
  readonly reason: MirrorFailure;
  readonly message: string;
}

/** A certificate that expires in less than this many days is warned of. The dashboard has the same number. */
export const WARNED_DAYS = 14;
