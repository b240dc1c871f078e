/**
 * Files of this repository that a program writes: kept up to date, or with `--check` only looked at.
 *
 * Place: the programs in this folder that write documents and charts.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Nothing is to be written. */
export const isCheck = process.argv.includes('--check');

/** A file's text, by its path from the root; '' if there is none. */
export function readText(file: string): string {
  const path = join(root, file);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** Writes those whose text is another one, or with `--check` names them, and then the process will exit 1. */
export function keepUpToDate(files: Readonly<Record<string, string>>, program: string): void {
  for (const [file, text] of Object.entries(files)) {
    if (readText(file) === text) continue;
    if (isCheck) {
      noteStale(file, program);
    } else {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
      process.stderr.write(`wrote ${file}\n`);
    }
  }
}

/** Says that something is not what the program would write; the process will exit 1. */
export function noteStale(what: string, program: string): void {
  process.stderr.write(`stale: ${what}; run node dist/scripts/${program}.js\n`);
  process.exitCode = 1;
}
