/**
 * The terminal while `lb4 top` has it: its second screen without a cursor, keys as they are typed, and everything back
 * as it was at the end, whatever ends it.
 *
 * Place: top.ts opens it. Invariants:
 * - Nothing is written while the terminal has not taken what was written before (a slow SSH): a picture is left out, and
 *   the next one makes up for it.
 * - `restore` is idempotent, and runs at the exit, before the line of a crash, and before a signal ends the process.
 */
import type { ReadStream, WriteStream } from 'node:tty';
import { atExit } from '../../support/at-exit.ts';

/** Second screen, no cursor, no wrapping at the last column. */
const ENTER = '\u001b[?1049h\u001b[?25l\u001b[?7l';
const LEAVE = '\u001b[0m\u001b[?7h\u001b[?25h\u001b[?1049l';
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

export interface TerminalEvents {
  readonly onInput: (text: string) => void;
  /** The size is another one, or the terminal was someone else's meanwhile. */
  readonly onChanged: () => void;
  /** The terminal is gone. */
  readonly onGone: () => void;
}

export class Terminal {
  readonly #input: ReadStream;
  readonly #output: WriteStream;
  readonly #events: TerminalEvents;
  #isOurs = false;
  #isBlocked = false;
  readonly #undo: (() => void)[] = [];

  constructor(input: ReadStream, output: WriteStream, events: TerminalEvents) {
    this.#input = input;
    this.#output = output;
    this.#events = events;
  }

  get size(): { readonly width: number; readonly height: number } {
    const { columns, rows } = this.#output;
    // A terminal without a size has 0 of both.
    return { width: columns || 80, height: rows || 24 };
  }

  open(): void {
    const { onChanged, onGone, onInput } = this.#events;
    this.#take();
    this.#undo.push(atExit(() => this.#giveBack()));
    this.#on(process, 'uncaughtExceptionMonitor', () => this.#giveBack());
    for (const signal of ENDING) this.#on(process, signal, () => this.#endBy(signal));
    this.#on(process, 'SIGCONT', () => {
      this.#take();
      onChanged();
    });
    this.#on(this.#output, 'resize', onChanged);
    this.#on(this.#output, 'error', onGone);
    if (!this.#input.isTTY) return;
    this.#input.setEncoding('utf8');
    this.#on(this.#input, 'data', (text: string) => onInput(text));
    this.#on(this.#input, 'end', onGone);
    this.#on(this.#input, 'error', onGone);
  }

  /** False where it was left out, because the terminal is behind. */
  write(text: string): boolean {
    if (this.#isBlocked || !this.#isOurs) return false;
    if (text !== '' && !this.#output.write(text)) {
      this.#isBlocked = true;
      this.#output.once('drain', () => (this.#isBlocked = false));
    }
    return true;
  }

  get isBehind(): boolean {
    return this.#isBlocked || !this.#isOurs;
  }

  /** As Ctrl-Z does to other programs; SIGCONT takes the terminal back. */
  suspend(): void {
    this.#giveBack();
    process.kill(process.pid, 'SIGTSTP');
  }

  restore(): void {
    this.#giveBack();
    for (const undo of this.#undo.splice(0)) undo();
    this.#input.pause();
  }

  #take(): void {
    if (this.#isOurs) return;
    this.#isOurs = true;
    if (this.#input.isTTY) this.#input.setRawMode(true);
    this.#output.write(ENTER);
  }

  #giveBack(): void {
    if (!this.#isOurs) return;
    this.#isOurs = false;
    this.#output.write(LEAVE);
    try {
      if (this.#input.isTTY) this.#input.setRawMode(false);
    } catch {
      // The terminal is gone, and its settings with it.
    }
  }

  /** The signal then does what it does to any program, so that the shell sees it. */
  #endBy(signal: NodeJS.Signals): void {
    this.restore();
    process.kill(process.pid, signal);
  }

  #on(emitter: NodeJS.EventEmitter, event: string, listener: (...of: never[]) => void): void {
    const each = listener as (...of: unknown[]) => void;
    emitter.on(event, each);
    this.#undo.push(() => emitter.off(event, each));
  }
}
