/**
 * Ends the process without waiting for its threads.
 *
 * Place: the last resort of `bin/lb4.ts` and `lb4 run`, and the end after a defect.
 * Why: Node's own exit joins every thread, and one that blocks in a system call cannot be ended; the process would live
 * for as long as that call takes.
 */
import { loadLibc } from '../linux/libc.ts';
import type { ExitCode } from './exit-codes.ts';

/** What has to happen at the exit is done first: the last lines, the reset of sessions that are left. */
export function exitAtOnce(code: ExitCode): void {
  process.emit('exit', code);
  const loaded = loadLibc();
  if (loaded.ok) loaded.libc._exit(code);
  // Without the library lb4 has no threads: this is for a thread of Node's pool that waits for a disk.
  process.kill(process.pid, 'SIGKILL');
}

/** The same; where there are no threads, and so none to wait for, with this exit code in any case. */
export function exitInOrder(code: ExitCode): void {
  if (loadLibc().ok) exitAtOnce(code);
  process.exit(code);
}
