/**
 * What a run of the tests shows: a line per file as it ends, why it has skipped something, what failed whole and at once, and at the end a summary
 * whose last line is `N passed, N failed, N skipped`.
 *
 * Place: scripts/test.mjs reports here. On a terminal a last line also says which files are running; in a pipe nothing
 * is written twice.
 */
import { stringify } from 'yaml';

const SLOWEST_SHOWN = 3;

export class TestReport {
  #running = new Set();
  #ended = 0;
  #total = 0;
  #stream;

  constructor(stream = process.stdout) {
    this.#stream = stream;
  }

  /** Begins a round; `note` says why there is another one. */
  round(total, note) {
    this.#ended = 0;
    this.#total = total;
    if (note !== undefined) this.#write(`\n${note}\n`);
  }

  started(file) {
    this.#running.add(file);
    this.#status();
  }

  ended(outcome) {
    this.#running.delete(outcome.file);
    this.#ended++;
    this.#write(
      this.#lineOf(outcome) +
        reasonsText(outcome) +
        outcome.failures.map(failureText).join('') +
        outputOf(outcome),
    );
    this.#status();
  }

  /** Anything else, a line of its own. */
  say(text) {
    this.#write(`${text}\n`);
  }

  #lineOf({ file, failed, seconds, ...counts }) {
    const total = String(this.#total);
    const at = `${String(this.#ended).padStart(total.length)}/${total}`;
    const verdict = failed > 0 ? 'FAIL' : 'ok  ';
    return `${at} ${verdict} ${seconds.toFixed(1).padStart(6)} s  ${file}: ${countsText({ failed, ...counts })}\n`;
  }

  #write(text) {
    this.#stream.write(this.#stream.isTTY ? `\r\x1b[K${text}` : text);
  }

  /** The files that are running, on a terminal. */
  #status() {
    if (!this.#stream.isTTY) return;
    const text = `${this.#ended}/${this.#total} … ${[...this.#running].join(', ')}`;
    this.#stream.write(`\r\x1b[K${text.slice(0, (this.#stream.columns ?? 80) - 1)}`);
  }
}

/** `12 passed, 0 failed`, and `, 3 skipped` if there are any. */
export function countsText({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

export function sumOf(outcomes) {
  const sum = key => outcomes.reduce((total, outcome) => total + outcome[key], 0);
  return { passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped') };
}

export function slowestText(outcomes) {
  const slowest = outcomes.toSorted((a, b) => b.seconds - a.seconds).slice(0, SLOWEST_SHOWN);
  return slowest.map(({ file, seconds }) => `${file} ${seconds.toFixed(1)} s`).join(', ');
}

/** `file: its first failed assertion`. */
export function whyText({ file, failures }) {
  return `${file}: ${failures[0]?.name ?? 'unknown'}`;
}

/** Why something was skipped: one line for each reason. */
function reasonsText({ reasons = {} }) {
  const lines = Object.entries(reasons).map(([reason, times]) => `    – ${times} skipped: ${reason}\n`);
  return lines.join('');
}

function failureText({ name, diag }) {
  if (diag === undefined) return `    ✗ ${name}\n`;
  const { at, ...rest } = diag;
  const place = at?.fileName === undefined ? [] : [`at ${at.fileName}:${at.lineNumber}:${at.columnNumber}`];
  const text = Object.keys(rest).length === 0 ? '' : stringify(rest, { lineWidth: 0 }).trimEnd();
  return `    ✗ ${name}\n${indented([...place, ...text.split('\n')].filter(Boolean).join('\n'))}`;
}

/** What a failed file has printed besides. */
function outputOf({ failed, output }) {
  if (failed === 0 || output.trim() === '') return '';
  return `    it also printed:\n${indented(output.trimEnd())}`;
}

function indented(text) {
  return text.replaceAll(/^/gm, '        ') + '\n';
}
