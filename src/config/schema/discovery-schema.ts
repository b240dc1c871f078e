/**
 * The configuration of sources that name backends while lb4 runs: `discovery` of an upstream, and `removed`.
 *
 * Place: a part of upstream-schema.ts. That no source stands twice is in discovery-cross-checks.ts.
 */
import type * as z from 'zod';
import { list, oneOf, section, text } from './fields.ts';

const MOST_SOURCES = 16;
const LONGEST_PATH = 4_096;

/** Of `backends` and of what sources report, each and together. */
export const MOST_BACKENDS = 10_000;

const source = section({
  type: oneOf(['file']).describe(
    'What kind of source it is. `file`: a file that lists backends, and is read again when it changes.',
  ),
  path: text(LONGEST_PATH).describe(
    'The file, relative to the configuration file. YAML or JSON: a list of backends as in `backends`, or the form of `file_sd` of Prometheus.',
  ),
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

export type SourceConfig = z.output<typeof source>;

/** As status, events and log name it. */
export function nameOfSource(source: SourceConfig): string {
  return `file ${source.path}`;
}
