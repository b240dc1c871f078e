/** A folder for what a test writes, removed with the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Teardown } from './teardown.ts';

export function temporaryFolder(t: Teardown): string {
  const folder = mkdtempSync(join(tmpdir(), 'lb4-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
