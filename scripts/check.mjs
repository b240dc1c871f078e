/**
 * `npm run check`: everything CI checks, in the order of how fast it fails: format, lint (with the import
 * rules between folders), types, unused code, the package as npm would publish it, generated files, tests.
 * `--static` leaves the tests out.
 */
import { spawnSync } from 'node:child_process';
import { setUp } from './setup.mjs';

setUp();
const bin = name => `node_modules/.bin/${name}`;
const steps = [
  ['format', bin('prettier'), ['--check', '--log-level=warn', '.']],
  ['lint', bin('eslint'), ['--max-warnings=0', '.']],
  ['types', bin('tsc'), ['-p', 'tsconfig.json', '--noEmit']],
  ['unused code', bin('knip'), []],
  ['package', bin('publint'), ['--strict']],
  [
    'package types',
    bin('attw'),
    ['--pack', '.', '--profile', 'esm-only', '--quiet', '--exclude-entrypoints', './schema'],
  ],
  ['generated files', process.execPath, ['dist/scripts/generate.js', '--check']],
  ['chart of slow start', process.execPath, ['dist/scripts/plot-slow-start.js', '--check']],
  ['chart of many instances', process.execPath, ['dist/scripts/plot-many-instances.js', '--check']],
];
if (!process.argv.includes('--static')) steps.push(['tests', process.execPath, ['scripts/test.mjs']]);

const failed = [];
for (const [name, command, args] of steps) {
  process.stderr.write(`check: ${name}\n`);
  const { status } = spawnSync(command, args, { stdio: 'inherit' });
  if (status !== 0) failed.push(name);
}
if (failed.length > 0) {
  process.stderr.write(`check: failed: ${failed.join(', ')}\n`);
  process.exit(1);
}
