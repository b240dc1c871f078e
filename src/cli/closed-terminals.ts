/**
 * Ends in order although the terminal that lb4 was started from has been closed.
 *
 * Place: called once, at the start of a command that goes on running.
 * Why: at its exit Node restores the settings of every terminal that was its standard input, output or error, and
 * aborts when that fails, as it does where the terminal is gone (node::ResetStdio); koffi does not survive that, nor a
 * closed standard error: it recurses, or waits for ever. /dev/null in the terminal's place harms neither.
 */
import { closeSync, openSync } from 'node:fs';
import { isatty } from 'node:tty';
import { atExit } from '../support/at-exit.ts';

export function outliveClosedTerminals(): void {
  const terminals = [0, 1, 2].filter(fd => isatty(fd));
  if (terminals.length === 0) return;
  atExit(() => {
    for (const fd of terminals) {
      if (isatty(fd)) continue;
      closeSync(fd);
      // The lowest number that is free: the one that was just closed.
      openSync('/dev/null', 'r+');
    }
  });
}
