/**
 * Problems of a configuration as an error: their lines are the message, and the problems themselves are kept, so that
 * the command line can give the place of each in the file.
 *
 * Place: thrown for problems that show only after the configuration was read, in files that it names. In `path` the
 * upstream may be given by its name when its position in the list is not known; load.ts finds it.
 */
import { Lb4Error, type ErrorCode } from '../../errors.ts';
import { formatIssues } from './format-issues.ts';
import type { ConfigIssue } from './issue.ts';

export class ConfigError extends Lb4Error {
  readonly issues: readonly ConfigIssue[];

  constructor(
    issues: readonly ConfigIssue[],
    code: ErrorCode = 'LB4_CONFIG_INVALID',
    cause: unknown = issues,
  ) {
    super(code, formatIssues(issues), { cause });
    this.issues = issues;
  }
}
