/**
 * Waits until a file is not being written any more, as far as its times and its size show that.
 *
 * Place: before a file is read that an editor or a program may be writing. Half of a YAML file may be valid, and lack half of the backends.
 */
import { stat } from 'node:fs/promises';
import type { SetTimer } from './timer.ts';

/** A file that has not changed for this long is whole. */
const QUIET_MS = 100;
/** Then the reload goes on all the same, and finds what it finds. */
const MOST_LOOKS = 20;

export interface WrittenFileDeps {
  wallClock(): number;
  readonly setTimer: SetTimer;
}

/** Never rejects. A file that is missing is waited for once, because editors write a new one and rename it. */
export async function untilWritten(file: string, deps: WrittenFileDeps): Promise<void> {
  let before = await lookAt(file);
  if (before !== undefined && before.changedAtMs < deps.wallClock() - QUIET_MS * 2) return;
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    await new Promise<void>(resolve => deps.setTimer(resolve, QUIET_MS));
    const now = await lookAt(file);
    if (now?.version === before?.version) return;
    before = now;
  }
}

async function lookAt(file: string): Promise<{ version: string; changedAtMs: number } | undefined> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(file);
    return { version: [ino, size, mtimeMs, ctimeMs].join(' '), changedAtMs: Math.max(mtimeMs, ctimeMs) };
  } catch {
    return undefined;
  }
}
