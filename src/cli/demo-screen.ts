/**
 * What `lb4 demo` writes: texts that stay, and below them one line that is rewritten in place on a terminal.
 *
 * Place: demo.ts has one. A write does not wait for its reader.
 */
import { performance } from 'node:perf_hooks';
import { LineBuffer } from '../observe/line-buffer.ts';
import { openOutput } from '../observe/output.ts';
import { printable } from '../support/printable.ts';
import { setKeepingTimer } from '../support/timer.ts';
import { EXIT } from './exit-codes.ts';

const LAST_WORDS_MS = 500;

export class DemoScreen {
  readonly #lines: LineBuffer;
  readonly #erase = process.stdout.isTTY ? '\r\x1b[K' : '';
  #line = '';
  #isBroken = false;
  #onBroken = (): void => undefined;

  constructor() {
    this.#lines = new LineBuffer(openOutput(1), {
      now: () => performance.now(),
      setTimer: setKeepingTimer,
      // A line about the present is useless later.
      lossLine: () => '',
      onBroken: () => {
        this.#isBroken = true;
        this.#onBroken();
      },
    });
  }

  onBroken(callback: () => void): void {
    this.#onBroken = callback;
    if (this.#isBroken) callback();
  }

  /** The last line, which the next one replaces on a terminal. */
  show(line: string): void {
    if (line === this.#line) return;
    this.#line = line;
    this.#lines.write(this.#erase === '' ? `${line}\n` : `${this.#erase}${line}`);
  }

  /** Text that stays, with its line breaks; the line that was shown comes again below it. */
  say(text: string): void {
    this.#lines.write(`${this.#erase}${text}`);
    const line = this.#line;
    this.#line = '';
    if (line !== '' && this.#erase !== '') this.show(line);
  }

  /** A sentence on a line of its own; it may hold text from elsewhere. */
  tell(sentence: string): void {
    this.say(`  ${printable(sentence)}\n`);
  }

  /** Shows the same line again. */
  again(): void {
    const line = this.#line;
    this.#line = '';
    this.show(line);
  }

  /** Writes what is left, if it can be written soon. */
  async end(): Promise<void> {
    if (this.#erase !== '' && this.#line !== '') this.#lines.write('\n');
    if (!(await this.#lines.end(LAST_WORDS_MS)) && !this.#isBroken) this.#lines.endProcess(EXIT.ok);
  }
}
