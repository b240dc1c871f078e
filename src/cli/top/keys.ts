/**
 * Text from a terminal in raw mode → keys. A sequence that arrives in pieces is put together.
 *
 * Place: `lb4 top` and `lb4 demo`.
 */

export const NAMED_KEYS = [
  ...(['up', 'down', 'pageUp', 'pageDown', 'home', 'end'] as const),
  ...(['enter', 'escape', 'backspace', 'interrupt', 'quit', 'suspend', 'redraw'] as const),
] as const;
export type NamedKey = (typeof NAMED_KEYS)[number];
export type Key = { readonly name: NamedKey } | { readonly text: string };

const SEQUENCES: ReadonlyMap<string, NamedKey> = new Map([
  ...(['[A', 'OA'] as const).map(each => [each, 'up'] as const),
  ...(['[B', 'OB'] as const).map(each => [each, 'down'] as const),
  ...(['[H', 'OH', '[1~', '[7~'] as const).map(each => [each, 'home'] as const),
  ...(['[F', 'OF', '[4~', '[8~'] as const).map(each => [each, 'end'] as const),
  ['[5~', 'pageUp'],
  ['[6~', 'pageDown'],
]);
const CONTROLS: ReadonlyMap<string, NamedKey> = new Map([
  ...(['\r', '\n'] as const).map(each => [each, 'enter'] as const),
  ...(['\u007f', '\b'] as const).map(each => [each, 'backspace'] as const),
  ['\u0003', 'interrupt'],
  ['\u001c', 'quit'],
  ['\u001a', 'suspend'],
  ['\u000c', 'redraw'],
]);
const WHOLE_SEQUENCE = /^\u001b(\[[0-9;?]*[ -/]*[@-~]|O[@-~])/;
const PART_OF_SEQUENCE = /^\u001b(\[[0-9;?]*[ -/]*|O)$/;
const LONGEST = 32;

export class KeyReader {
  #rest = '';

  /** The keys that are complete with this piece. */
  read(piece: string): Key[] {
    let text = this.#rest + piece;
    this.#rest = '';
    const keys: Key[] = [];
    while (text !== '') {
      const whole = WHOLE_SEQUENCE.exec(text);
      if (whole !== null) {
        const name = SEQUENCES.get(whole[1] ?? '');
        if (name !== undefined) keys.push({ name });
        text = text.slice(whole[0].length);
      } else if (PART_OF_SEQUENCE.test(text) && text.length < LONGEST) {
        this.#rest = text;
        return keys;
      } else {
        const [character = ''] = text;
        const name = character === '\u001b' ? 'escape' : CONTROLS.get(character);
        if (name !== undefined) keys.push({ name });
        else if (!/\p{C}/u.test(character)) keys.push({ text: character });
        text = text.slice(character.length);
      }
    }
    return keys;
  }
}
