/**
 * Keys of `lb4 demo`, as they are typed, without Enter.
 *
 * Place: demo.ts, where standard input is a terminal. In this mode the terminal sends no signals for Ctrl-C, Ctrl-\ and
 * Ctrl-Z, so they are sent here.
 * Invariants:
 * - The terminal has its settings back at the end, whatever ends the process, and while lb4 is stopped.
 * - In the background the terminal is another program's: it is not touched.
 */
import { atExit } from '../support/at-exit.ts';
import { readSmallFile } from '../support/small-file.ts';
import { KeyReader } from './top/keys.ts';

const STOPPED_MS = 100;
/** In /proc/PID/stat behind the name, which is in brackets: the group, and the terminal's one. */
const [GROUP, FOREGROUND] = [2, 5];

/**
 * False where no keys are read: standard input is no terminal, or another program has it.
 *
 * @param onBack called when the terminal was another program's meanwhile
 */
export function readKeys(onKey: (letter: string) => void, onBack: () => void): boolean {
  const { stdin } = process;
  if (!stdin.isTTY || !isInForeground()) return false;
  const take = (): void => {
    if (!isInForeground()) return;
    setRaw(true);
    onBack();
  };
  setRaw(true);
  atExit(() => setRaw(false));
  process.on('SIGCONT', take);
  // The terminal is gone; a signal ends lb4.
  stdin.on('error', () => undefined);
  const keys = new KeyReader();
  stdin.setEncoding('utf8').on('data', (text: string) => {
    for (const key of keys.read(text)) {
      if ('text' in key) onKey(key.text.toLowerCase());
      else if (key.name === 'suspend') suspend(take);
      else if (key.name === 'interrupt') process.kill(process.pid, 'SIGINT');
      else if (key.name === 'quit') process.kill(process.pid, 'SIGQUIT');
    }
  });
  // Keys alone keep no demo running.
  stdin.unref();
  return true;
}

function suspend(take: () => void): void {
  setRaw(false);
  process.kill(process.pid, 'SIGTSTP');
  // Where no shell could continue it, it is not stopped.
  setTimeout(take, STOPPED_MS).unref();
}

function setRaw(isRaw: boolean): void {
  try {
    process.stdin.setRawMode(isRaw);
  } catch {
    // The terminal is gone, and its settings with it.
  }
}

/** Where it cannot be known, it is. */
function isInForeground(): boolean {
  try {
    const stat = readSmallFile('/proc/self/stat');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[GROUP] === fields[FOREGROUND];
  } catch {
    return true;
  }
}
