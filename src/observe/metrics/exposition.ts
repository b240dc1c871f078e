/**
 * The text formats of Prometheus: one family after the other, each with its samples.
 *
 * Place: series.ts writes lines, metrics.ts says which. The text is taken away in pieces while it is made.
 * Formats: `text` is version 0.0.4, `openmetrics` version 1.0.0 (names of counters lose their `_total` in the head, there
 * are units, and an end).
 * Why our own: ADR 0016.
 */

export type MetricFormat = 'text' | 'openmetrics';
export type MetricType = 'counter' | 'gauge' | 'histogram';

export const CONTENT_TYPES: Readonly<Record<MetricFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

const UNITS = ['seconds', 'bytes', 'ratio'];
/** As much is made at once: some 800 lines, and half a millisecond of work. */
const PIECE = 64 * 1024;

export class Exposition {
  readonly #format: MetricFormat;
  readonly #isWanted: (name: string) => boolean;
  #text = '';

  /** @param isWanted whether a family of this name is shown */
  constructor(format: MetricFormat, isWanted: (name: string) => boolean) {
    this.#format = format;
    this.#isWanted = isWanted;
  }

  /** Begins a family; false: it is not wanted, and has no samples. */
  family(name: string, type: MetricType, help: string): boolean {
    if (!this.#isWanted(name)) return false;
    const isOpen = this.#format === 'openmetrics';
    const head = isOpen && type === 'counter' ? name.replace(/_total$/, '') : name;
    const words = isOpen ? escaped(help) : escapedHelp(help);
    this.#text += `# HELP ${head} ${words}\n# TYPE ${head} ${type}\n`;
    const unit = UNITS.find(each => head.endsWith(`_${each}`));
    if (isOpen && unit !== undefined) this.#text += `# UNIT ${head} ${unit}\n`;
    return true;
  }

  /** @param labels as `labels` writes them; '' for none */
  sample(name: string, labels: string, value: number): void {
    this.line(labels === '' ? name : `${name}{${labels}}`, value);
  }

  /** The same with the whole name of the series: text that is made once costs least. */
  line(series: string, value: number): void {
    this.#text += `${series} ${valueOf(value)}\n`;
  }

  /** Lines that are made already. */
  lines(text: string): void {
    this.#text += text;
  }

  /** There is enough for a piece. */
  get isFull(): boolean {
    return this.#text.length >= PIECE;
  }

  /** What has been written since the last call. */
  take(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }

  /** The last piece. */
  end(): string {
    const text = this.take();
    return this.#format === 'openmetrics' ? `${text}# EOF\n` : text;
  }
}

/** `a="1",b="2"`, with what has a meaning in quotes escaped. */
export function labels(pairs: Readonly<Record<string, string>>): string {
  return Object.entries(pairs)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',');
}

/** The value of a bucket's bound as both formats want it: a float. */
export function boundText(seconds: number): string {
  if (seconds === Infinity) return '+Inf';
  return Number.isInteger(seconds) ? `${seconds}.0` : String(seconds);
}

/** A value as both formats want it. */
export function valueOf(value: number): string {
  if (value === Infinity) return '+Inf';
  return Number.isNaN(value) ? 'NaN' : String(value);
}

function escaped(text: string): string {
  return escapedHelp(text).replaceAll('"', '\\"');
}

function escapedHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
