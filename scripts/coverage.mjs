/**
 * What the tests reach of the data path: a table of its files with their lines and branches, and what is below its floor.
 *
 * Place: a part of `npm run verify`. It runs the tests that `TESTS` names with V8's coverage, in this order of things:
 * tests, c8's report over all processes and threads that they started, floors. `npm test` holds `pool/` and
 * `strategies/` to 100 % by itself.
 * Invariants: every file of `FOLDERS` that has code is in the table, whether a test loads it or not. A file below
 * `NAMED_BELOW` percent of its branches is named. It is a failure below `FLOOR`, or below what
 * test/coverage-floors.json says of it, which also says why. An entry for a file that does not exist is a failure too,
 * so that a move takes its entry along.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

const NAMED_BELOW = 90;
/** Not the same: some branches are taken only when two threads or two packets meet. */
const FLOOR = 85;
const FLOORS = 'test/coverage-floors.json';
const FOLDERS = ['src/data', 'src/engine', 'src/linux'];
const FILES = /^src\/host\/build-data-plane\.ts$/;
/** The tests of these folders, and those of whole balancers that exercise the most in the least time. */
const TESTS = [
  ...FOLDERS.map(folder => `dist/test/${folder}`),
  ...['load-balancer', 'limits-and-failures', 'queue', 'session-records'].map(
    name => `dist/test/integration/${name}.test.js`,
  ),
];

/** What to run. */
export function coveredTests(testsIn) {
  return TESTS.flatMap(testsIn);
}

/**
 * The table over the raw coverage in `folder`, and what is wrong, as lines.
 * @returns {{ table: string, wrong: string[] }}
 */
export function coverageOf(folder) {
  const measured = measure(folder);
  const rows = filesWithCode().map(file => ({ file, lines: 0, branches: 0, ...measured.get(file) }));
  return judged(rows, JSON.parse(readFileSync(FLOORS, 'utf8')));
}

/**
 * @param {{ file: string, lines: number, branches: number }[]} rows
 * @param {Record<string, { branches: number, why: string }>} floors
 */
export function judged(rows, floors) {
  const floorOf = file => floors[file]?.branches ?? FLOOR;
  const low = rows
    .filter(({ file, branches }) => branches < floorOf(file))
    .map(({ file, branches }) => `${file}: ${branches} % of its branches, floor ${floorOf(file)} %`);
  const gone = Object.keys(floors)
    .filter(file => !rows.some(row => row.file === file))
    .map(file => `${FLOORS} names ${file}, which is no file of the data path`);
  return { table: tableOf(rows, floors), wrong: [...low, ...gone] };
}

/** @returns {Map<string, { lines: number, branches: number }>} */
function measure(folder) {
  const reports = join(folder, 'report');
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      'node_modules/c8/bin/c8.js',
      'report',
      `--temp-directory=${folder}`,
      `--reports-dir=${reports}`,
      '--reporter=json-summary',
      // The names are those of the .ts files, which only the source maps know.
      '--exclude-after-remap',
      '--exclude=test/**',
      '--include=src/**',
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`c8 ended with ${status}: ${stderr}`);
  const summary = JSON.parse(readFileSync(join(reports, 'coverage-summary.json'), 'utf8'));
  return new Map(
    Object.entries(summary).map(([file, { lines, branches }]) => [
      relative(resolve('.'), file),
      { lines: lines.pct, branches: branches.pct },
    ]),
  );
}

/** The files of the data path; those that declare types alone have no code. */
function filesWithCode() {
  return readdirSync('src', { recursive: true })
    .map(name => join('src', name))
    .filter(file => FILES.test(file) || FOLDERS.some(folder => file.startsWith(`${folder}/`)))
    .filter(file => file.endsWith('.ts') && hasCode(join('dist', file.replace(/\.ts$/, '.js'))))
    .sort();
}

function hasCode(compiled) {
  const text = readFileSync(compiled, 'utf8').replaceAll(/\/\*.*?\*\/|^\s*\/\/.*$/gms, '');
  return text.trim() !== 'export {};';
}

function tableOf(rows, floors) {
  const width = Math.max(...rows.map(({ file }) => file.length));
  const line = (file, lines, branches, why) =>
    `  ${file.padEnd(width)}  ${lines.padStart(6)}  ${branches.padStart(8)}${why}`.trimEnd();
  const isLow = ({ branches }) => branches < NAMED_BELOW;
  return [
    line('file', 'lines', 'branches', ''),
    ...rows.map(({ file, lines, branches }) => line(file, lines.toFixed(1), branches.toFixed(1), '')),
    `below ${NAMED_BELOW} % of the branches:${rows.some(isLow) ? '' : ' none'}`,
    ...rows.filter(isLow).map(({ file, lines, branches }) => {
      const why = floors[file]?.why;
      return line(file, lines.toFixed(1), branches.toFixed(1), why === undefined ? '' : `  ${why}`);
    }),
  ].join('\n');
}
