/**
 * Makes a source of what the configuration says.
 *
 * Place: `Discovery` calls it; the one file that knows all kinds of source.
 */
import type { SourceConfig } from '../../config/schema/discovery-schema.ts';
import { FileSource, type FileSourceDeps } from './file-source.ts';
import { RegistrationSource } from './registration-source.ts';
import type { DiscoverySource } from './source.ts';

export interface SourceDeps extends FileSourceDeps {
  now(): number;
}

/** Opens nothing yet. */
export function createSource(config: SourceConfig, deps: SourceDeps): DiscoverySource {
  return config.type === 'file' ? new FileSource(config.path, deps) : new RegistrationSource(config, deps);
}
