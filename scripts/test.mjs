/**
 * `npm test`: runs tap over the compiled tests, and holds `strategies/` and `pool/` to full coverage by their own.
 * Coverage is taken of these alone: everywhere else it would cost a tenth of the time and nobody would look at it.
 * `npm test -- dist/test/pool` runs a part, without the coverage gate, which only a full run can answer.
 */
import { spawnSync } from 'node:child_process';

const chosen = process.argv.slice(2);
const tap = 'node_modules/tap/dist/esm/run.mjs';
const covered = ['dist/test/pool', 'dist/test/strategies'];
if (chosen.length > 0) {
  run('tap', tap, ['--disable-coverage', ...chosen]);
} else {
  run('tap over strategies/ and pool/', tap, covered);
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
  const others = ['bench', 'docs', 'e2e', 'integration', 'src'].map(folder => `dist/test/${folder}`);
  run('tap', tap, ['--disable-coverage', ...others]);
}

function run(what, script, args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' });
  if (status === 0) return;
  process.stderr.write(`npm test: ${what} failed\n`);
  process.exit(status ?? 1);
}
