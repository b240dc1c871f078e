/**
 * The errors that lb4 throws: for construction, configuration and misuse of the API only. On the data path failures are
 * values (src/model/termination.ts).
 *
 * Every code has a heading in docs/errors.md, checked by a test in both directions.
 */

export const ERROR_CODES = [
  'LB4_CONFIG_INVALID',
  'LB4_LISTEN_FAILED',
  'LB4_STRATEGY_INVALID',
  'LB4_LEASE_RELEASED_TWICE',
  'LB4_WRONG_STATE',
  'LB4_ENGINE_UNAVAILABLE',
  'LB4_WORKER_FAILED',
  'LB4_UNKNOWN_UPSTREAM',
  'LB4_UNKNOWN_BACKEND',
  'LB4_TOO_MANY_SLOTS',
  'LB4_NEEDS_RESTART',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export class Lb4Error extends Error {
  override readonly name = 'Lb4Error';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

const LONGEST_WORDS = 1_000;

/** The message of any thrown value; cut when it is very long. */
export function wordsOf(error: unknown): string {
  let words: unknown;
  try {
    words = error instanceof Error ? error.message : String(error);
  } catch {
    // The value cannot even be converted to text.
  }
  if (typeof words !== 'string') return 'something that is no error and no text';
  return words.length <= LONGEST_WORDS ? words : `${words.slice(0, LONGEST_WORDS)}…`;
}

/** The system's name for a failure, such as ECONNREFUSED, or the error's text where it has none. */
export function systemCode(error: unknown): string {
  if (error instanceof Error) {
    return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
  }
  return wordsOf(error);
}
