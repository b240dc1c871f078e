/**
 * Keeps running in the background of the terminal that lb4 was started from, and ends in order after that was closed.
 *
 * Place: called once, at the start of a command that goes on running, before its first line.
 * Why the background: where a terminal is set to `stty tostop`, SIGTTOU stops a background process that writes to it,
 * with all its threads, unless the process ignores that signal. A listener of Node's is not enough: the write would be
 * restarted, and raise the signal again, without end. Without koffi lb4 behaves like any other program.
 * Why the end: at its exit Node restores the settings of every terminal that was its standard input, output or error,
 * and aborts when that fails, as it does where the terminal is gone (node::ResetStdio). koffi does not survive that,
 * nor a closed standard error: it recurses, or waits for ever. /dev/null in the terminal's place harms neither.
 */
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { SIG_IGN } from '../linux/abi.ts';
import { loadLibc } from '../linux/libc.ts';
import { atExit } from '../support/at-exit.ts';

export function outliveTerminals(): void {
  const terminals = [0, 1, 2].filter(fd => isatty(fd));
  if (terminals.length === 0) return;
  const loaded = loadLibc();
  if (loaded.ok) {
    const { SIGTTOU, SIGTTIN } = constants.signals;
    for (const signal of [SIGTTOU, SIGTTIN]) loaded.libc.signal(signal, SIG_IGN);
  }
  atExit(() => {
    for (const fd of terminals) {
      if (isatty(fd)) continue;
      closeSync(fd);
      // The lowest free number: the one that was just closed.
      openSync('/dev/null', 'r+');
    }
  });
}
