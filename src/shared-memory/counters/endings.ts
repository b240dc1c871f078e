/**
 * The ways in which sessions end, each with its cell: by whom, in which phase, for what reason.
 *
 * Place: a part of the layout. `model/termination.ts` says what the words mean, docs/terminations.md what to do; a test
 * holds that page and this list together.
 * Invariant: a termination that is not listed is counted all the same, as one of reason `other`.
 */

const RELAY: readonly string[] = ['relay'];
const CONNECT: readonly string[] = ['connect'];
const ADMISSION: readonly string[] = ['admission'];

/** Which phases go with a side and a reason. */
const PHASES: readonly (readonly [by: string, reason: string, phases: readonly string[]])[] = [
  ['client', 'closed', RELAY],
  ['backend', 'closed', RELAY],
  ['client', 'reset', ['relay', 'queue']],
  ['backend', 'reset', ['relay', 'connect']],
  ['balancer', 'idle', RELAY],
  ['balancer', 'halfClosed', RELAY],
  ['balancer', 'lifetime', RELAY],
  ['balancer', 'noBackend', CONNECT],
  ['balancer', 'full', CONNECT],
  ['balancer', 'queueTimeout', ['queue']],
  ['balancer', 'retryBudget', CONNECT],
  ['balancer', 'deadline', CONNECT],
  ['backend', 'refused', CONNECT],
  ['backend', 'timeout', CONNECT],
  ['backend', 'unreachable', CONNECT],
  ['backend', 'tls', CONNECT],
  ['balancer', 'localResources', CONNECT],
  ['balancer', 'backendDown', RELAY],
  ['balancer', 'primaryBack', RELAY],
  ['balancer', 'operator', ['relay', 'connect', 'queue', 'admission']],
  ['balancer', 'drainTimeout', ['drain']],
  ['balancer', 'stopped', ['drain', 'relay']],
  ['client', 'closed', ADMISSION],
  ['client', 'reset', ADMISSION],
  ['balancer', 'timeout', ADMISSION],
  ['balancer', 'noProxyHeader', ADMISSION],
  ['balancer', 'badProxyHeader', ADMISSION],
  ['balancer', 'denied', ADMISSION],
  ['balancer', 'clientSessions', ADMISSION],
  ['balancer', 'clientRate', ADMISSION],
  ['balancer', 'networkSessions', ADMISSION],
  ['balancer', 'networkRate', ADMISSION],
  ['balancer', 'listenerRate', ADMISSION],
  ['balancer', 'noClientHello', ADMISSION],
  ['balancer', 'badClientHello', ADMISSION],
  ['balancer', 'noRoute', ADMISSION],
  ['balancer', 'noTls', ADMISSION],
  ['balancer', 'badHandshake', ADMISSION],
  ['client', 'badHandshake', ADMISSION],
  ['balancer', 'badCertificate', ADMISSION],
  ['client', 'badCertificate', ADMISSION],
  ['balancer', 'workerDied', RELAY],
];

const OTHER = ['balancer', 'relay', 'other'] as const;

/** By, phase and reason of each cell. */
export const ENDINGS: readonly (readonly [by: string, phase: string, reason: string])[] = [
  ...PHASES.flatMap(([by, reason, phases]) => phases.map(phase => [by, phase, reason] as const)),
  OTHER,
];

interface Ending {
  readonly by: string;
  readonly phase: string;
  readonly reason: string;
}

const keyOf = ({ by, phase, reason }: Ending): string => `${by} ${phase} ${reason}`;

const INDEXES: ReadonlyMap<string, number> = new Map(
  ENDINGS.map(([by, phase, reason], index) => [keyOf({ by, phase, reason }), index]),
);

const [BY_CLIENT, BY_BACKEND] = [0, 1];
export const WORKER_DIED = ENDINGS.length - 2;

/** The cell of a termination, counted from the first one's. */
export function endingOf(ending: Ending): number {
  // Nearly all sessions end so, and making a key costs more than all other counting.
  if (ending.reason === 'closed' && ending.phase === 'relay')
    return ending.by === 'client' ? BY_CLIENT : BY_BACKEND;
  return INDEXES.get(keyOf(ending)) ?? ENDINGS.length - 1;
}
