/**
 * What a terminal shows after it was sent some text: as much of one as `lb4 top` uses.
 *
 * Any other sequence, and text that would move the cursor by itself, throws: so a test that draws hostile names fails
 * when one of them gets through.
 */
export class TerminalPicture {
  readonly #cells: string[][];
  #row = 0;
  #column = 0;
  #isCursorShown = true;
  #isSecondScreen = false;
  /** Characters that were drawn, blanks included. */
  drawn = 0;

  readonly width: number;
  readonly height: number;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.#cells = Array.from({ length: height }, () => new Array<string>(width).fill(' '));
  }

  get isCursorShown(): boolean {
    return this.#isCursorShown;
  }

  get isSecondScreen(): boolean {
    return this.#isSecondScreen;
  }

  get lines(): string[] {
    return this.#cells.map(row => row.join('').trimEnd());
  }

  get text(): string {
    return this.lines.join('\n');
  }

  write(text: string): void {
    for (const [token] of text.matchAll(/\u001b\[[0-9;?]*[A-Za-z]|[^]/gu)) {
      if (token.length > 2 && token.startsWith('\u001b[')) this.#obey(token.slice(2));
      else this.#draw(token);
    }
  }

  #draw(character: string): void {
    if (/[\p{C}\p{M}]/u.test(character)) throw new Error(`a terminal was sent ${JSON.stringify(character)}`);
    const row = this.#cells[this.#row];
    if (row === undefined || this.#column >= this.width)
      throw new Error(`${character} is outside of the screen`);
    row[this.#column] = character;
    this.#column += 1;
    this.drawn += 1;
  }

  #obey(sequence: string): void {
    const at = /^(\d+);(\d+)H$/.exec(sequence);
    if (at !== null) {
      [this.#row, this.#column] = [Number(at[1]) - 1, Number(at[2]) - 1];
      return;
    }
    if (/^[0-9;]*m$/.test(sequence)) return;
    switch (sequence) {
      case '2J':
        for (const row of this.#cells) row.fill(' ');
        return;
      case '?25l':
      case '?25h':
        this.#isCursorShown = sequence.endsWith('h');
        return;
      case '?1049h':
      case '?1049l':
        this.#isSecondScreen = sequence.endsWith('h');
        return;
      case '?7l':
      case '?7h':
        return;
      default:
        throw new Error(`a terminal was sent ${JSON.stringify(sequence)}`);
    }
  }
}
