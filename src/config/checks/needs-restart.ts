/**
 * The parts of a configuration that cannot change while it runs.
 *
 * Place: asked by `load-balancer.ts` before it takes over another configuration.
 */
import { isDeepStrictEqual } from 'node:util';

import { Lb4Error } from '../../errors.ts';
import type { Config } from '../schema/schema.ts';

const FIXED = ['engine', 'workers', 'workerStallTimeout', 'name', 'admin'] as const;

/** Throws LB4_NEEDS_RESTART, naming the keys. */
export function expectSame(before: Config, after: Config): void {
  const changed = FIXED.filter(key => !isDeepStrictEqual(before[key], after[key]));
  if (changed.length === 0) return;
  throw new Lb4Error(
    'LB4_NEEDS_RESTART',
    `${changed.join(', ')}: cannot be changed while lb4 runs; start it again with the new configuration`,
  );
}
