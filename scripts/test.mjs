/**
 * `npm test`: runs tap over the compiled tests, then holds `strategies/` and `pool/` to full coverage.
 * `npm test -- dist/test/pool` runs a part, without the coverage gate, which only a full run can answer.
 */
import { spawnSync } from 'node:child_process';

const chosen = process.argv.slice(2);
run('tap', 'node_modules/tap/dist/esm/run.mjs', chosen);
if (chosen.length === 0) {
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
}

function run(what, script, args) {
  const { status } = spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' });
  if (status === 0) return;
  process.stderr.write(`npm test: ${what} failed\n`);
  process.exit(status ?? 1);
}
