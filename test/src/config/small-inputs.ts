/**
 * The smallest configurations around one place, for tests that put something wrong there.
 */
import { formatIssues } from '../../../src/config/report/format-issues.ts';
import { parseConfig } from '../../../src/config/source/parse.ts';

export type Keys = Record<string, unknown>;

export const listener = { name: 'web', bind: '127.0.0.1:8080', upstream: 'app' };
export const upstream = { name: 'app', backends: ['10.0.0.1:80'] };

export const withListener = (keys: Keys) => ({
  listeners: [{ ...listener, ...keys }],
  upstreams: [upstream],
});
export const withUpstream = (keys: Keys) => ({
  listeners: [listener],
  upstreams: [{ ...upstream, ...keys }],
});
export const withBackend = (backend: unknown) => withUpstream({ backends: [backend] });
export const withTop = (keys: Keys) => ({ ...withListener({}), ...keys });

/** The problems of a configuration as people see them, one a line. */
export function problems(input: unknown, options?: Parameters<typeof parseConfig>[1]): string {
  const result = parseConfig(input, options);
  return result.ok ? '' : formatIssues(result.issues);
}
