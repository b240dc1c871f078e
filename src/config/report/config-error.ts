/**
 * Problems of a configuration as an error: its lines are the message, the problems themselves stay with it, so that
 * the command line can say where in the file each of them stands.
 *
 * Place: thrown for what shows only after the configuration was read: files that it names. In `path` the upstream may
 * stand by its name, where its position in the list is not known; load.ts finds it.
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
