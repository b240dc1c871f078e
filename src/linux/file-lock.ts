/**
 * A lock on an open file (flock(2)): it ends with the descriptor, and so with the process, whatever ends that.
 *
 * Place: the pid file is locked while its instance takes clients.
 */
import { EACCES, EAGAIN } from './system-error.ts';
import type { Libc } from './libc.ts';

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/** `unsupported`: this file system has no locks. Never waits. */
export type Locked = 'locked' | 'held' | 'unsupported';

/** @param kind any number of descriptors may have a shared lock, while none has the exclusive one */
export function lockFile(libc: Libc, fd: number, kind: 'shared' | 'exclusive'): Locked {
  if (libc.flock(fd, (kind === 'shared' ? LOCK_SH : LOCK_EX) | LOCK_NB) === 0) return 'locked';
  // On NFS some locks are refused with EACCES.
  return [EAGAIN, EACCES].includes(libc.errno()) ? 'held' : 'unsupported';
}
