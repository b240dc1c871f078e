/** What users of the library pass, validated. Place: `load-balancer.ts`. Each throws LB4_CONFIG_INVALID with every problem. */
import { formatIssues } from '../config/report/format-issues.ts';
import type { ConfigIssue } from '../config/report/issue.ts';
import type { BackendConfig, BackendInput, Config, ConfigInput } from '../config/schema/schema.ts';
import { issueOfWeight, parseBackend, parseConfig } from '../config/source/parse.ts';
import { Lb4Error } from '../errors.ts';

export function parsedConfig(input: ConfigInput): Config {
  const parsed = parseConfig(input);
  if (parsed.ok) return parsed.config;
  throw invalid(parsed.issues);
}

export function parsedBackend(input: BackendInput): BackendConfig {
  const parsed = parseBackend(input);
  if (parsed.ok) return parsed.backend;
  throw invalid(parsed.issues);
}

export function expectWeight(weight: number): void {
  const issue = issueOfWeight(weight);
  if (issue !== undefined) throw invalid([issue]);
}

function invalid(issues: readonly ConfigIssue[]): Lb4Error {
  return new Lb4Error('LB4_CONFIG_INVALID', formatIssues(issues), { cause: issues });
}
