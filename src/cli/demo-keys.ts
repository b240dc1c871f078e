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

const SIGNALS: ReadonlyMap<string, NodeJS.Signals> = new Map([
  ['\u0003', 'SIGINT'],
  ['\u001c', 'SIGQUIT'],
]);
const CTRL_Z = '\u001a';
const STOPPED_MS = 100;
/** In /proc/PID/stat behind the name, which is in brackets: the group, and the terminal's one. */
const [GROUP, FOREGROUND] = [2, 5];

/**
 * False where no keys are read: standard input is no terminal, or another program has it.
 *
 * @param onBack called when the terminal was another program's meanwhile
 */
export function readKeys(onKey: (key: string) => void, onBack: () => void): boolean {
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
  stdin.setEncoding('utf8').on('data', (text: string) => {
    // A sequence of an arrow or another such key.
    if (text.length > 1 && text.startsWith('\u001b')) return;
    for (const key of text) {
      const signal = SIGNALS.get(key);
      if (key === CTRL_Z) suspend(take);
      else if (signal === undefined) onKey(key.toLowerCase());
      else process.kill(process.pid, signal);
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
