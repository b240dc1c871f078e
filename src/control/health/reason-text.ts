/**
 * Text from backends, made fit for a log line: escaped, on one line and short.
 *
 * Place: every reason of a failed probe, and the reason in an agent's answer.
 * Invariant: the result has no control, format or line-breaking character, so a backend cannot forge a line of the log.
 */

const MOST_REASON = 200;
const MOST_QUOTED = 60;
/** Control and format characters, lone surrogates, line and paragraph separators. */
const UNPRINTABLE = /[\p{C}\u2028\u2029]/gu;
const NOT_ASCII = /[^ -~]/gu;
const NAMES: ReadonlyMap<string, string> = new Map([
  ['\r', String.raw`\r`],
  ['\n', String.raw`\n`],
  ['\t', String.raw`\t`],
]);

/** `text` on one line of at most 200 characters. */
export function oneLine(text: string): string {
  return shortened(text.slice(0, MOST_REASON + 1).replace(UNPRINTABLE, escaped), MOST_REASON);
}

/**
 * The beginning of bytes, given as latin1 text, in quotes; all that is not printable ASCII is escaped. At most
 * about 60 characters.
 */
export function quoted(bytes: string): string {
  const text = bytes
    .slice(0, MOST_QUOTED + 1)
    .replace(/["\\]/g, String.raw`\$&`)
    .replace(NOT_ASCII, escaped);
  return `"${shortened(text, MOST_QUOTED)}"`;
}

function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  return NAMES.get(character) ?? (code <= 0xff ? `\\x${hex.padStart(2, '0')}` : `\\u{${hex}}`);
}
