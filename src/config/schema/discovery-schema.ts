/**
 * The configuration of sources that name backends while lb4 runs: `discovery` of an upstream, and `removed`.
 *
 * Place: a part of upstream-schema.ts. That no source stands twice is in discovery-cross-checks.ts.
 */
import * as z from 'zod';
import { duration, integer, list, oneOf, section, text } from './fields.ts';
import { HOUR, MINUTE, SECOND } from './limits-of-values.ts';

const MOST_SOURCES = 16;
const LONGEST_PATH = 4_096;

/** Of `backends` and of what sources report, each and together. */
export const MOST_BACKENDS = 10_000;

export type SourceConfig =
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'registration'; readonly ttl: number; readonly max: number };

const keys = section({
  type: oneOf(['file', 'registration']).describe(
    'What kind of source it is. `file`: a file that lists backends, and is read again when it changes. `registration`: backends that register themselves through the admin API, again and again, at most one source of this type.',
  ),
  path: text(LONGEST_PATH)
    .optional()
    .describe(
      '`file`: the file, relative to the configuration file. YAML or JSON: a list of backends as in `backends`, or the form of `file_sd` of Prometheus. Required there.',
    ),
  ttl: duration(SECOND, HOUR)
    .optional()
    .describe(
      '`registration`: the longest that a backend may ask to stay without registering again. Default: `1m`.',
    ),
  max: integer(1, MOST_BACKENDS)
    .optional()
    .describe('`registration`: the most backends that are registered at a time. Default: 1000.'),
});

const source = keys
  .transform(({ type, path, ttl = MINUTE, max = 1_000 }, context): SourceConfig => {
    if (type === 'registration') return { type, ttl, max };
    if (path !== undefined) return { type, path };
    context.addIssue({ code: 'custom', message: 'the path of a file', path: ['path'] });
    return z.NEVER;
  });

export const discovery = list(source, 'sources', MOST_SOURCES)
  .optional()
  .describe(
    'Sources of further backends, which may come and go while lb4 runs. A backend stays as long as any source, or `backends`, has it. A source that fails keeps those that it has named last. See [discovery](discovery.md).',
  );

export const removed = oneOf(['keep', 'reset'])
  .default('keep')
  .describe(
    'What happens to the sessions of a backend that its source does not name any more. `keep`: they go on. `reset`: they are reset, some at a time.',
  );

/** As status, events and log name it. */
export function nameOfSource(source: SourceConfig): string {
  return source.type === 'file' ? `file ${source.path}` : source.type;
}
