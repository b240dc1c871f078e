/**
 * `npm test`: runs the compiled tests, four files at a time, and holds `strategies/` and `pool/` to full coverage by
 * their own tests. Coverage is taken of these alone: everywhere else it would cost a tenth of the time.
 * `npm test -- dist/test/pool` runs a part, without the coverage gate, which only a full run can answer.
 *
 * In the environment: `LB4_TEST_TRIES=3` tries a file that fails up to three times, for a machine whose neighbours take
 * it the time that tests rely on. `LB4_TEST_JOBS` is the number of files that run at a time. For scripts/verify.mjs:
 * `LB4_TEST_RESULT=FILE` writes the outcome as JSON, `LB4_TEST_COVERAGE=FOLDER` takes the coverage of the data path.
 * Exit code: 0, or 1 if anything failed.
 */
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { isBundleCurrent } from './bundle.mjs';
import { coveredTests } from './coverage.mjs';
import { runTestFile } from './test-file.mjs';
import { allTests, isBelow, longestFirst, testsIn } from './test-files.mjs';
import { countsText, slowestText, sumOf, TestReport, whyText } from './test-report.mjs';

const TRIES = Number(process.env.LB4_TEST_TRIES) || 1;
/** Two cores are busy with four: a file waits for more than half of its time, unless it plays a long variant. */
const JOBS = Number(process.env.LB4_TEST_JOBS) || (process.env.LB4_TEST_LOAD === 'full' ? 3 : 4);
const COVERED = ['dist/test/pool', 'dist/test/strategies'];
const COVERAGE = '.tap/coverage';
/** Of the data path, by the tests that scripts/coverage.mjs names. */
const { LB4_TEST_COVERAGE: DATA_PATH_COVERAGE, ...SEPARATE_FILES } = process.env;
const DATA_PATH_TESTS = DATA_PATH_COVERAGE === undefined ? [] : coveredTests(testsIn);
const isBundleWanted = process.env.NODE_V8_COVERAGE === undefined && isBundleCurrent();
const BUNDLE = isBundleWanted
  ? {
      env: { ...SEPARATE_FILES, LB4_TEST_COMMAND: resolve('dist/bundle/bin/lb4.js') },
      args: [`--import=${pathToFileURL(resolve('scripts/bundled-worker.mjs')).href}`],
    }
  : { env: SEPARATE_FILES };

const chosen = process.argv.slice(2);
const files = longestFirst(chosen.length > 0 ? chosen.flatMap(testsIn) : allTests());
if (files.length === 0) {
  process.stderr.write(`npm test: no test file in ${chosen.join(' ')}\n`);
  process.exit(1);
}
const isWhole = chosen.length === 0;
if (isWhole) rmSync(COVERAGE, { recursive: true, force: true });

const started = performance.now();
const report = new TestReport();
/** The last outcome of each file. */
const outcomes = new Map();
/** The first outcome of each file that has failed and was tried again. */
const firstFailures = new Map();
await tryAll(files, 1);

const all = [...outcomes.values()];
const seconds = (performance.now() - started) / 1_000;
const failed = all.filter(outcome => outcome.failed > 0);
const lucky = [...firstFailures.values()].filter(({ file }) => outcomes.get(file).failed === 0);
report.say('');
const coverage = isWhole && failed.length === 0 ? checkCoverage() : 0;
report.say(
  `${all.length} file${all.length === 1 ? '' : 's'} in ${seconds.toFixed(0)} s; slowest: ${slowestText(all)}`,
);
for (const outcome of lucky) report.say(`passed when tried again: ${whyText(outcome)}`);
for (const outcome of failed) report.say(`failed: ${whyText(outcome)}`);
const sum = sumOf(all);
// Without it a run whose only fault is its coverage would close with no failure.
sum.failed += coverage;
report.say(countsText(sum));
if (process.env.LB4_TEST_RESULT !== undefined) {
  const result = { ...sum, lucky: lucky.map(whyText), failures: failed.map(whyText) };
  writeFileSync(process.env.LB4_TEST_RESULT, JSON.stringify(result));
}
process.exitCode = sum.failed === 0 ? 0 : 1;

/** Runs files, some at a time, and those that fail again, one at a time, until there is no try left. */
async function tryAll(files, turn) {
  const queue = [...files];
  report.round(files.length, turn > 1 ? `failed, and tried again (${turn} of ${TRIES}):` : undefined);
  await Promise.all(Array.from({ length: turn === 1 ? JOBS : 1 }, () => work(queue)));
  const again = files.filter(file => outcomes.get(file).failed > 0);
  if (again.length === 0 || turn === TRIES) return;
  for (const file of again) if (!firstFailures.has(file)) firstFailures.set(file, outcomes.get(file));
  await tryAll(again, turn + 1);
}

async function work(queue) {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    report.started(file);
    const outcome = await runTestFile(file, surroundingsOf(file));
    outcomes.set(file, outcome);
    report.ended(outcome);
  }
}

/** Coverage is that of the separate files, which have source maps. */
function surroundingsOf(file) {
  if (isWhole && COVERED.some(folder => isBelow(file, folder)))
    return { env: { ...SEPARATE_FILES, NODE_V8_COVERAGE: COVERAGE } };
  if (DATA_PATH_TESTS.includes(file))
    return { env: { ...SEPARATE_FILES, NODE_V8_COVERAGE: resolve(DATA_PATH_COVERAGE) } };
  return BUNDLE;
}

/** 0, or 1 if a line or a branch of the two folders is not covered; the table is shown then. */
function checkCoverage() {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      'node_modules/c8/bin/c8.js',
      'report',
      `--temp-directory=${COVERAGE}`,
      '--include=strategies/**',
      '--include=pool/**',
      '--exclude=test/**',
      // The names above are those of the .ts files, which only the source maps know.
      '--exclude-after-remap',
      '--check-coverage',
      '--100',
      '--reporter=text',
    ],
    { encoding: 'utf8' },
  );
  report.say(`coverage of strategies/ and pool/: ${status === 0 ? '100 %' : 'not 100 %'}`);
  if (status === 0) return 0;
  report.say(`${stdout}${stderr}`);
  return 1;
}
