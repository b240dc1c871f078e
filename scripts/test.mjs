/**
 * `npm test`: runs tap over the compiled tests, and holds `strategies/` and `pool/` to full coverage by their own.
 * Coverage is taken of these alone: everywhere else it would cost a tenth of the time and nobody would look at it.
 * `npm test -- dist/test/pool` runs a part, without the coverage gate, which only a full run can answer.
 * `LB4_TEST_TRIES=3 npm test` tries a file that fails up to three times: .ci/run does, on a machine it shares.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const TAP = 'node_modules/tap/dist/esm/run.mjs';
/** In all, for a file that fails. More than one is for machines whose neighbours take them the time that tests rely on. */
const TRIES = Number(process.env.LB4_TEST_TRIES) || 1;
const COVERED = ['pool', 'strategies'];
const OTHERS = ['bench', 'docs', 'e2e', 'integration', 'sim', 'src'];

const chosen = process.argv.slice(2);
if (chosen.length > 0) {
  runUntilPassed(
    chosen.flatMap(path => (path.endsWith('.js') ? [path] : testsIn(path))),
    bare,
  );
} else {
  runUntilPassed(COVERED.flatMap(testsOf), covered);
  const report = spawn('node_modules/c8/bin/c8.js', [
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
  if (report !== 0) fail('coverage of strategies/ and pool/', report);
  runUntilPassed(OTHERS.flatMap(testsOf), bare);
}

/** Runs test files until all have passed, or for the last time; what failed is tried again, and that is said. */
function runUntilPassed(files, run, triesLeft = TRIES - 1) {
  if (files.length === 0) fail(`no test file in ${chosen.join(' ')}:`, 1);
  const { status, failed } = run(files);
  if (status === 0) return;
  // A run that ended without naming a file is no matter of bad luck.
  if (triesLeft < 1 || failed.length === 0) fail('tap', status);
  process.stderr.write(`npm test: failed, and tried again: ${failed.join(' ')}\n`);
  runUntilPassed(failed, run, triesLeft - 1);
}

/** With coverage, which is that of one run: so all count as failed if one has. */
function covered(files) {
  const status = spawn(TAP, files);
  return { status, failed: files };
}

/** Without coverage. */
function bare(files) {
  const folder = mkdtempSync(join(tmpdir(), 'lb4-test-'));
  const failures = join(folder, 'failures');
  writeFileSync(failures, '');
  Object.assign(process.env, { LB4_TEST_FILES: files.join(' '), LB4_TEST_FAILURES: failures });
  const status = spawn(TAP, ['--disable-coverage', '--timeout=0', 'scripts/test-files.mjs']);
  const failed = readFileSync(failures, 'utf8').split('\n').filter(Boolean);
  rmSync(folder, { recursive: true });
  return { status, failed };
}

function spawn(script, args) {
  return spawnSync(process.execPath, [script, ...args], { stdio: 'inherit' }).status;
}

function fail(what, status) {
  process.stderr.write(`npm test: ${what} failed\n`);
  process.exit(status ?? 1);
}

function testsOf(folder) {
  return testsIn(`dist/test/${folder}`);
}

/** The test files below a folder; the others there are helpers. */
function testsIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter(name => name.endsWith('.test.js'))
    .map(name => join(folder, name));
}
