/**
 * What a cross-check has found: see cross-checks.ts.
 */
import type { Path } from './issue.ts';

export interface Finding {
  readonly path: Path;
  readonly expected: string;
  /** The names that would have been right. */
  readonly known?: readonly string[];
  /** Where the same value stands already. */
  readonly alsoAt?: Path;
}
