/**
 * Errno numbers by name, and errors that look like Node's own.
 *
 * Place: used wherever a system call has failed; the rest of lb4 knows only the name, such as ECONNREFUSED.
 */
import { constants } from 'node:os';

/** Of two names for one number, such as EAGAIN and EWOULDBLOCK, the first one is Node's own. */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, number]) => [number, name] as const),
);

/** The name of an errno, or `errno N` for one that Node does not know. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

/** An error as Node would throw it: `code` is the errno's name. */
export function systemError(call: string, errno: number): Error {
  const code = errnoName(errno);
  return Object.assign(new Error(`${call} ${code}`), { code, errno: -errno, syscall: call });
}

export const {
  EACCES,
  EADDRNOTAVAIL,
  EAGAIN,
  ECONNRESET,
  EINPROGRESS,
  EINTR,
  EINVAL,
  EMFILE,
  ENAMETOOLONG,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  ENOSPC,
  EPIPE,
} = constants.errno;
