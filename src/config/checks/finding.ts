/**
 * A problem that the schema or a cross-check has found, before parse.ts puts it in words (`ConfigIssue`).
 */
import type { Path } from '../report/issue.ts';

export interface Finding {
  readonly path: Path;
  readonly expected: string;
  /** The names that would have been right. */
  readonly known?: readonly string[];
  /** `expected` without any part of the value, for values that must not be shown. */
  readonly withoutValue?: string;
  /** The last part of `path` is a key that does not exist. */
  readonly unknownKey?: true;
  /** Where the same value was given first. */
  readonly alsoAt?: Path;
}
