/**
 * A sentence in lines that fit the terminal: broken at spaces, and a word only where it is longer than a whole line.
 *
 * Place: what client commands print besides tables.
 */
import { printable } from '../../support/printable.ts';
import { startOf, widthOf } from './text-width.ts';

/** @param hanging stands before every line but the first */
export function paragraph(text: string, width: number, hanging = '  '): string {
  const lines: string[] = [];
  let line = '';
  let isEmpty = true;
  const end = (): void => {
    lines.push(line);
    [line, isEmpty] = [hanging, true];
  };
  const [, indent = '', words = ''] = /^( *)(.*)$/s.exec(printable(text)) ?? [];
  line = indent;
  for (const word of words.split(' ')) {
    if (!isEmpty && widthOf(line) + 1 + widthOf(word) > width) end();
    let rest = isEmpty ? word : ` ${word}`;
    for (let room = width - widthOf(line); widthOf(rest) > room; room = width - widthOf(line)) {
      const piece = startOf(rest, Math.max(room, 2));
      line += piece;
      rest = rest.slice(piece.length);
      end();
    }
    line += rest;
    isEmpty = false;
  }
  return [...lines, line].map(each => `${each.trimEnd()}\n`).join('');
}
