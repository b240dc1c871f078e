/**
 * Reads YAML tokens with bounds, before anything recursive touches them.
 *
 * Place: document.ts, between the text and yaml's composer. Why: the composer recurses once per nesting level;
 * a file of a million `[` ran for 10 s and could end the process ("RegExpCompiler Allocation failed", yaml
 * 2.9.1), and a million `"` took 17 s. The lexer and the parser below it do not recurse.
 */
import { type CST, Lexer, type LineCounter, Parser } from 'yaml';

/** The deepest real configuration needs about 10 levels. */
const DEEPEST = 64;
/** 1 MiB of one-line backends is about 400,000. */
const MOST_TOKENS = 500_000;

export type YamlTokens =
  | { readonly ok: true; readonly tokens: readonly CST.Token[] }
  | { readonly ok: false; readonly offset: number; readonly message: string };

/** The tokens of `text`; `lines` receives the beginnings of lines. `offset` is where a bound was exceeded. */
export function readYamlTokens(text: string, lines: LineCounter): YamlTokens {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens: CST.Token[] = [];
  let lexemes = 0;
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    if (parser.stack.length > DEEPEST) return tooMuch(parser.offset, 'nested too deeply');
    if (++lexemes > MOST_TOKENS) return tooMuch(parser.offset, 'too many YAML tokens');
  }
  tokens.push(...parser.end());
  return { ok: true, tokens };
}

function tooMuch(offset: number, message: string): YamlTokens {
  return { ok: false, offset, message };
}
