/** The version that `lb4 --version` and the start-up line show: the package's own. */
import { readFileSync } from 'node:fs';

export function version(): string {
  // From dist/src/cli to the package's root, in a clone and in an installed package alike.
  const manifest: unknown = JSON.parse(
    readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'),
  );
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest)
    return String(manifest.version);
  return 'unknown';
}
