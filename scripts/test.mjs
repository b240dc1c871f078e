/**
 * `npm test`: runs tap over the compiled tests, and holds `strategies/` and `pool/` to full coverage by their own.
 * Coverage is taken of these alone: everywhere else it would cost a tenth of the time and nobody would look at it.
 * `npm test -- dist/test/pool` runs a part, without the coverage gate, which only a full run can answer.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

const chosen = process.argv.slice(2);
const tap = 'node_modules/tap/dist/esm/run.mjs';
const covered = ['pool', 'strategies'];
if (chosen.length > 0) {
  run('tap', tap, ['--disable-coverage', ...chosen]);
} else {
  run('tap over strategies/ and pool/', tap, testsIn(covered));
  run('coverage of strategies/ and pool/', 'node_modules/c8/bin/c8.js', [
    'report',
    '--temp-directory=.tap/coverage',
    '--include=strategies/**',
    '--include=pool/**',
    '--exclude=test/**',
    // The names above are those of the .ts files, which only the source maps know.
    '--exclude-after-remap',
    '--check-coverage',
    '--100',
    '--reporter=text',
  ]);
  run('tap', tap, ['--disable-coverage', ...testsIn(['bench', 'docs', 'e2e', 'integration', 'sim', 'src'])]);
}

function run(what, script, args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' });
  if (status === 0) return;
  process.stderr.write(`npm test: ${what} failed\n`);
  process.exit(status ?? 1);
}

/** The test files in folders of dist/test; the others there are helpers, which tap would run if given the folder. */
function testsIn(folders) {
  return folders.flatMap(folder =>
    readdirSync(`dist/test/${folder}`, { recursive: true })
      .filter(name => name.endsWith('.test.js'))
      .map(name => `dist/test/${folder}/${name}`),
  );
}
