/**
 * `lb4 top`: a running lb4 at a glance, in a terminal, until `q`; with `--once`, or without a terminal, as plain text.
 *
 * Place: asks the admin API once a second (history.ts keeps rates), draws with view.ts through screen.ts.
 * Invariants:
 * - Keys work while the API is silent; the last answer stays, with the reason and its age.
 * - At most one question is under way.
 */
import { formatAge } from '../client/table.ts';
import { ClientError, type AdminClient } from '../client/admin-client.ts';
import { durationOf, runClient, type OutputOptions, type Surroundings } from '../client/client-command.ts';
import type { StatusAnswer } from '../client/status.ts';
import type { ExitCode } from '../exit-codes.ts';
import { charsetOf, CHARSETS, glyphsOf, type Glyphs } from './glyphs.ts';
import { Figures } from '../../observe/figures.ts';
import { History } from './history.ts';
import { KeyReader, type Key } from './keys.ts';
import { Screen, textOfLine } from './screen.ts';
import { Terminal } from './terminal.ts';
import { afterKey, FIRST_VIEW, type ViewState } from './view-state.ts';
import { pictureOf, type Seen } from './view.ts';

export interface TopOptions extends OutputOptions {
  readonly once?: boolean;
  readonly every?: string;
  readonly charset?: string;
}

const EVERY = { byDefault: 1_000, least: 100, most: 60_000 };

export async function top(options: TopOptions): Promise<ExitCode> {
  return runClient(options, async surroundings => {
    const { every, charset } = options;
    const everyMs =
      every === undefined ? EVERY.byDefault : durationOf('--every', every, EVERY.least, EVERY.most);
    const glyphs = glyphsOf(charsetNamed(charset));
    const status = await ask(surroundings.client);
    const isScreen = process.stdout.isTTY && process.env['TERM'] !== 'dumb';
    if (options.once === true || !isScreen) {
      printOnce(status, glyphs, surroundings);
      return;
    }
    await new LiveView(surroundings.client, status, glyphs, everyMs).run();
  });
}

function charsetNamed(charset: string | undefined): (typeof CHARSETS)[number] {
  if (charset === undefined) return charsetOf(process.env);
  const known = CHARSETS.find(each => each === charset);
  if (known !== undefined) return known;
  throw new ClientError(`--charset: expected ${CHARSETS.join(', ')}, got ${charset}`, { isUsage: true });
}

async function ask(client: AdminClient): Promise<StatusAnswer> {
  return (await client.ask('GET', '/api/v1/status')) as StatusAnswer;
}

function printOnce(status: StatusAnswer, glyphs: Glyphs, { width, write }: Surroundings): void {
  const seen = { status, history: new History(), figures: new Figures(), nowMs: Date.now(), glyphs };
  const { lines } = pictureOf(seen, FIRST_VIEW, width, Infinity);
  write(lines.map(line => `${textOfLine(line)}\n`).join(''));
}

class LiveView {
  readonly #client: AdminClient;
  readonly #glyphs: Glyphs;
  readonly #everyMs: number;
  readonly #history = new History();
  readonly #figures = new Figures();
  readonly #screen = new Screen({ colour: (process.env['NO_COLOR'] ?? '') === '' });
  readonly #keys = new KeyReader();
  readonly #terminal: Terminal;
  #status: StatusAnswer;
  #answeredMs = Date.now();
  #silence: string | undefined;
  #view: ViewState = FIRST_VIEW;
  #bounds = { page: 1, most: 0 };
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;
  #end: () => void = () => undefined;

  constructor(client: AdminClient, status: StatusAnswer, glyphs: Glyphs, everyMs: number) {
    this.#client = client;
    this.#status = status;
    this.#glyphs = glyphs;
    this.#everyMs = everyMs;
    this.#history.add(status);
    this.#figures.add(status);
    this.#terminal = new Terminal(process.stdin, process.stdout, {
      onInput: text => this.#onInput(text),
      onChanged: () => this.#drawWhole(),
      onGone: () => this.#end(),
    });
  }

  async run(): Promise<void> {
    const ended = new Promise<void>(resolve => (this.#end = resolve));
    this.#terminal.open();
    try {
      this.#draw();
      this.#askLater();
      await ended;
    } finally {
      this.#isOver = true;
      clearTimeout(this.#timer);
      this.#terminal.restore();
    }
  }

  #askLater(): void {
    if (this.#isOver) return;
    this.#timer = setTimeout(() => void this.#ask(), this.#everyMs);
  }

  async #ask(): Promise<void> {
    // So that a clock goes on while no answer comes.
    const waiting = setInterval(() => {
      this.#silence ??= 'it may be busy';
      this.#draw();
    }, EVERY.byDefault);
    try {
      this.#status = await ask(this.#client);
      this.#history.add(this.#status);
      this.#figures.add(this.#status);
      this.#answeredMs = Date.now();
      this.#silence = undefined;
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      this.#silence = error.message;
    } finally {
      clearInterval(waiting);
    }
    this.#draw();
    this.#askLater();
  }

  #onInput(text: string): void {
    for (const key of this.#keys.read(text)) {
      if (this.#isCommand(key)) continue;
      this.#view = afterKey(this.#view, key, this.#bounds);
    }
    this.#draw();
  }

  #isCommand(key: Key): boolean {
    const name = 'name' in key ? key.name : undefined;
    if (name === 'interrupt' || (!this.#view.isTyping && 'text' in key && ['q', 'Q'].includes(key.text)))
      this.#end();
    else if (name === 'suspend') this.#terminal.suspend();
    else if (name === 'redraw') this.#screen.forget();
    else return false;
    return true;
  }

  #drawWhole(): void {
    this.#screen.forget();
    this.#draw();
  }

  #draw(): void {
    if (this.#terminal.isBehind) return;
    const { width, height } = this.#terminal.size;
    const nowMs = Date.now();
    const seen: Seen = {
      ...{
        status: this.#status,
        history: this.#history,
        figures: this.#figures,
        nowMs,
        glyphs: this.#glyphs,
      },
      silence: this.#silence && `no answer for ${formatAge(nowMs - this.#answeredMs)}: ${this.#silence}`,
    };
    const { lines, page, most } = pictureOf(seen, this.#view, width, height);
    this.#bounds = { page, most };
    this.#terminal.write(this.#screen.changes(lines, width, height));
  }
}
