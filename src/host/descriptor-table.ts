/**
 * Makes room in the process's table of descriptors before the first client comes.
 *
 * Place: `build-data-plane.ts` calls it at each start, also without workers; once there is room, it costs nothing.
 * Why: the kernel doubles the table when it is full, and in a process with threads the call that needs the room, an
 * `accept` as a rule, then waits until all cores have let go of the old table: 5 to 20 ms at each of 256, 512, 1024 …
 * descriptors.
 */
import { F_DUPFD_CLOEXEC } from '../linux/abi.ts';
import type { Libc } from '../linux/libc.ts';

/** 512 KiB of the kernel's memory. A limit may be a thousand million, and then nothing asks for such a table. */
const MAX_ENTRIES = 1 << 16;
/** Node keeps it open from the start. */
const STDERR = 2;

/** Without effect when the system refuses it. */
export function growDescriptorTable(libc: Pick<Libc, 'fcntl' | 'close'>, limit: number): void {
  const fd = libc.fcntl(STDERR, F_DUPFD_CLOEXEC, Math.min(limit, MAX_ENTRIES) - 1);
  if (fd >= 0) libc.close(fd);
}
