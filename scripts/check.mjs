/**
 * `npm run check`: everything CI checks: lint (with the import rules between folders), format, types, unused code, the
 * package as npm would publish it, generated files, and then the tests.
 * `--static` leaves the tests out.
 */
import { spawn, spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { setUp } from './setup.mjs';

setUp();
const bin = name => `node_modules/.bin/${name}`;
const steps = [
  // The longest first: everything else is done meanwhile.
  ['lint', bin('eslint'), ['--max-warnings=0', '.']],
  ['format', bin('prettier'), ['--check', '--log-level=warn', '.']],
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

const failed = [];
// As many at a time as there are cores; each says what it has to say when it is over.
await Promise.all(Array.from({ length: availableParallelism() }, work));
// By themselves: they go by the time that things take.
if (!process.argv.includes('--static')) {
  const { status } = spawnSync(process.execPath, ['scripts/test.mjs'], { stdio: 'inherit' });
  if (status !== 0) failed.push('tests');
}
if (failed.length > 0) {
  process.stderr.write(`check: failed: ${failed.join(', ')}\n`);
  process.exit(1);
}

async function work() {
  for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
    const [name, command, args] = step;
    const { status, said } = await run(command, args);
    process.stderr.write(`check: ${name}\n${said}`);
    if (status !== 0) failed.push(name);
  }
}

function run(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', text => (said += text));
    child.once('error', reject);
    child.once('close', status => resolve({ status, said }));
  });
}
