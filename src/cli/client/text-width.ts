/**
 * How many cells of a terminal a text takes, and its beginning and end by cells.
 *
 * Place: table.ts and paragraph.ts, whose lines must fit. A character that takes two cells (most of those of China, Japan
 * and Korea, and emoji) is never cut in half, and a mark stays with the character before it.
 */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;
const MARK = /\p{M}/u;
const NARROW_ONLY = /^[\x20-\x7e…]*$/;

export function widthOf(text: string): number {
  if (NARROW_ONLY.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += cellsOf(character);
  return width;
}

/** As much of its beginning as fits. */
export function startOf(text: string, width: number): string {
  let start = '';
  let left = width;
  for (const character of text) {
    left -= cellsOf(character);
    if (left < 0) break;
    start += character;
  }
  return start;
}

/** As much of its end as fits. */
export function endOf(text: string, width: number): string {
  const end: string[] = [];
  let left = width;
  for (const character of Array.from(text).reverse()) {
    left -= cellsOf(character);
    if (left < 0) break;
    end.unshift(character);
  }
  // Not a mark without the character that it belongs to.
  while (end[0] !== undefined && MARK.test(end[0])) end.shift();
  return end.join('');
}

function cellsOf(character: string): number {
  if (MARK.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
