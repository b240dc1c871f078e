/**
 * What a defect does: one log line, every session reset, exit code 1; the supervisor starts lb4 again.
 *
 * Place: from the start of `lb4 run` to its end. Sessions are reset first, because the sockets of a process that just
 * ends are closed in an orderly way, and half an answer would look complete to a client.
 */
import { wordsOf } from '../errors.ts';
import type { LoadBalancer } from '../load-balancer.ts';
import type { Log } from '../observe/log.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** How long the reset of sessions in other threads may take; sessions left then are reset at the exit. */
const STOP_MS = 1_000;

export interface CrashDeps {
  readonly log: Log;
  readonly balancer: LoadBalancer;
  /** Writes the last lines. */
  endLogs(exitCode: ExitCode): Promise<void>;
}

/** Handles errors that no other code has caught; returns a function that stops this. */
export function crashInOrder(deps: CrashDeps): () => void {
  const { log, balancer } = deps;
  let isCrashing = false;
  const crash = (error: unknown): void => {
    log.write('error', 'crashed', `a defect ends lb4: ${withFrames(error)}`);
    // The end itself may fail because of the same defect.
    if (isCrashing) return;
    isCrashing = true;
    void end();
  };
  const end = async (): Promise<void> => {
    const late = new Promise(resolve => setTimeout(resolve, STOP_MS));
    await Promise.race([stopped(balancer), late]);
    await deps.endLogs(EXIT.failure);
    process.exit(EXIT.failure);
  };
  process.on('uncaughtException', crash).on('unhandledRejection', crash);
  return () => process.off('uncaughtException', crash).off('unhandledRejection', crash);
}

/** Resets as many sessions as it can within the call. */
async function stopped(balancer: LoadBalancer): Promise<void> {
  try {
    await balancer.stop();
  } catch {
    // The line is written already.
  }
}

/** On one line; the frames of the stack one after the other. */
function withFrames(error: unknown): string {
  if (!(error instanceof Error)) return wordsOf(error);
  const frames = /\n {4}at .*/s.exec(error.stack ?? '')?.[0] ?? '';
  return `${error.name}: ${wordsOf(error)}${frames.replace(/\n +at /g, ' at ')}`;
}
