/**
 * Makes text from elsewhere (a backend, an agent, a name server, Redis, a strategy, a path) fit for one line of a log
 * or a terminal: nothing in it can end the line, move the cursor or turn the reading direction.
 *
 * Place: the log, where lines are made, and the command line, before there is a log. The dashboard's page imports the
 * compiled file as it is, so it imports nothing.
 * What is escaped: control characters (C0, DEL, C1), format characters (bidirectional overrides, zero-width ones,
 * tags), line and paragraph separators, and halves of surrogate pairs; all other text is unchanged.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** For people: `\n`, `\x1b`, `\u202e`, `\u{e0001}`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, character => SHORT[character] ?? escaped(character));
}

/**
 * A JSON text without unprintable characters in its strings: any reader gets the same value from it. The page shows any
 * text with the same escapes.
 */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE, character => {
    let units = '';
    for (let i = 0; i < character.length; i++) units += `\\u${hex(character.charCodeAt(i), 4)}`;
    return units;
  });
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${hex(code, 2)}`;
  return code <= 0xffff ? `\\u${hex(code, 4)}` : `\\u{${hex(code, 0)}}`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0');
}
