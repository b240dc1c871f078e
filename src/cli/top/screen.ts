/**
 * A picture of the terminal in cells, and the shortest text that turns the picture before into the next one.
 *
 * Place: view.ts draws lines, terminal.ts writes what `changes` returns. Why not a package: docs/adr/0017.
 * Invariants:
 * - A cell that does not change is not written, except short gaps, where that is shorter than moving the cursor.
 * - The last cell of the last line is written with the terminal's wrapping off, so nothing scrolls.
 */

export type Style = 'plain' | 'dim' | 'bold' | 'good' | 'warn' | 'bad' | 'title' | 'inverse';

export interface Span {
  readonly text: string;
  readonly style: Style;
}
export type Line = readonly Span[];

/** Select Graphic Rendition, each from a reset. Shapes and words carry the meaning, so without colours nothing is lost. */
const COLOURED: Readonly<Record<Style, string>> = {
  ...{ plain: '', dim: '2', bold: '1', good: '32', warn: '33', bad: '1;31', title: '1;36', inverse: '7' },
};
const PLAIN: Readonly<Record<Style, string>> = {
  ...{ plain: '', dim: '2', bold: '1', good: '', warn: '1', bad: '1', title: '1', inverse: '7' },
};
/** Moving the cursor takes about as many characters. */
const SHORT_GAP = 6;

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly characters: readonly string[];
  readonly styles: readonly Style[];
}

export function span(text: string, style: Style = 'plain'): Span {
  return { text, style };
}

export function textOfLine(line: Line): string {
  return line
    .map(({ text }) => text)
    .join('')
    .trimEnd();
}

export class Screen {
  readonly #sgr: Readonly<Record<Style, string>>;
  #shown: Picture | undefined;

  constructor({ colour }: { readonly colour: boolean }) {
    this.#sgr = colour ? COLOURED : PLAIN;
  }

  /** Forgets what is on the terminal: the next picture is written whole. */
  forget(): void {
    this.#shown = undefined;
  }

  /** What to write so that the terminal shows these lines; empty where it does already. */
  changes(lines: readonly Line[], width: number, height: number): string {
    const sgr = this.#sgr;
    const next = pictureOf(lines, width, height);
    const before = this.#shown;
    const isSameSize = before?.width === width && before.height === height;
    const known = isSameSize ? before : pictureOf([], width, height);
    let out = isSameSize ? '' : '\u001b[0m\u001b[2J';
    let style = 'plain' as Style;
    for (let row = 0; row < height; row++) {
      let at = row * width;
      const end = at + width;
      let cursor = -1;
      for (; at < end; at++) {
        if (isSame(next, known, at)) continue;
        if (cursor !== at) {
          const gap = at - cursor;
          const isShort = cursor >= row * width && gap <= SHORT_GAP;
          if (!isShort) out += `\u001b[${row + 1};${at - row * width + 1}H`;
          else for (let i = cursor; i < at; i++) write(i);
        }
        write(at);
        cursor = at + 1;
      }
    }
    if (style !== 'plain') out += '\u001b[0m';
    this.#shown = next;
    return out;

    function write(at: number): void {
      const wanted = next.styles[at] ?? 'plain';
      // A blank looks the same in every style but one.
      const isBlank = next.characters[at] === ' ' && wanted === 'plain' && style !== 'inverse';
      if (wanted !== style && !isBlank) {
        const code = sgr[wanted];
        out += code === '' ? '\u001b[0m' : `\u001b[0;${code}m`;
        style = wanted;
      }
      out += next.characters[at] ?? ' ';
    }
  }
}

function isSame(one: Picture, other: Picture, at: number): boolean {
  return one.characters[at] === other.characters[at] && one.styles[at] === other.styles[at];
}

function pictureOf(lines: readonly Line[], width: number, height: number): Picture {
  const characters = new Array<string>(width * height).fill(' ');
  const styles = new Array<Style>(width * height).fill('plain');
  for (const [row, line] of lines.slice(0, height).entries()) {
    let column = 0;
    for (const { text, style } of line) {
      for (const character of text) {
        if (column >= width) break;
        characters[row * width + column] = character;
        // A blank has no colour of its own, so it need not be written when only that changes.
        styles[row * width + column] = character === ' ' && style !== 'inverse' ? 'plain' : style;
        column += 1;
      }
    }
  }
  return { width, height, characters, styles };
}
