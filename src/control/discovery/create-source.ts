/**
 * Makes a source of what the configuration says.
 *
 * Place: `Discovery` calls it; the one file that knows all kinds of source.
 */
import type { SourceConfig } from '../../config/schema/discovery-schema.ts';
import { FileSource, type FileSourceDeps } from './file-source.ts';
import type { DiscoverySource } from './source.ts';

export type SourceDeps = FileSourceDeps;

/** Opens nothing yet. */
export function createSource(config: SourceConfig, deps: SourceDeps): DiscoverySource {
  return new FileSource(config.path, deps);
}
