/** `npm test` as people and tools read it: a line per file, failures whole, a plain closing line, an exit code. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runProgram } from '../harness/programs.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
// Within the package, so that the files find tap.
mkdirSync(join(root, 'dist/samples'), { recursive: true });

/** Runs the runner over files with these texts; without what this very run was given in the environment. */
async function run(files: Record<string, string>, env: NodeJS.ProcessEnv = {}) {
  const folder = mkdtempSync(join(root, 'dist/samples/tests-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const result = join(folder, 'result.json');
  const { code, stdout, stderr } = await runProgram(
    process.execPath,
    ['scripts/test.mjs', relative(root, folder)],
    { cwd: root, env: { ...process.env, LB4_TEST_TRIES: '1', LB4_TEST_RESULT: result, ...env } },
  );
  return { code, stderr, lines: stdout.split('\n'), stdout, result: () => readFileSync(result, 'utf8') };
}

const TAP = "import t from 'tap';\n";
const PASSES = `${TAP}t.test('a', async t => { t.ok(true); t.ok(true); });
t.test('b', { skip: 'not here' }, async t => t.fail());`;
const SKIPS = `${TAP}t.test('a', { skip: 'no redis here' }, async t => t.fail());
t.test('b', async t => { t.pass('skipped: no koffi', { skip: true }); t.pass('skipped: no koffi', { skip: true }); });`;
const FAILS = `${TAP}import { writeSync } from 'node:fs';
t.test('outer', async t => {
  t.ok(true);
  await t.test('inner', async t => t.same({ a: 1 }, { a: 2 }, 'what is claimed'));
});
writeSync(2, 'a hint\\n');`;

void t.test('what passes is one line per file, and the closing line counts assertions', async t => {
  const { code, lines, stderr } = await run({ 'a.test.js': PASSES, 'helper.js': 'throw 1;' });
  t.equal(code, 0);
  t.equal(stderr, '');
  t.match(
    lines[0],
    /^1\/1 ok +\d+\.\d s {2}dist\/samples\/tests-\w+\/a\.test\.js: 2 passed, 0 failed, 1 skipped$/,
  );
  t.equal(lines.at(-2), '2 passed, 0 failed, 1 skipped');
  t.ok(lines.length <= 6, 'and hardly more');
});

void t.test('what is skipped says why, once for each reason', async t => {
  const { code, lines } = await run({ 'a.test.js': SKIPS });
  t.equal(code, 0);
  t.match(lines[0], /: 0 passed, 0 failed, 3 skipped$/);
  t.same(lines.slice(1, 3), ['    – 1 skipped: no redis here', '    – 2 skipped: no koffi']);
  t.equal(lines.at(-2), '0 passed, 0 failed, 3 skipped');
});

void t.test('a failure is shown whole: its path, the difference, the output of its file', async t => {
  const { code, stdout, lines } = await run({ 'a.test.js': PASSES, 'b.test.js': FAILS });
  t.equal(code, 1);
  t.match(stdout, /FAIL .*b\.test\.js: 1 passed, 1 failed\n {4}✗ outer › inner › what is claimed\n/);
  t.match(stdout, /at .*b\.test\.js:\d+:\d+\n/);
  t.match(stdout, /- {2}"a": 2,\n +\+ {2}"a": 1,/);
  t.match(stdout, /it also printed:\n +a hint\n/);
  t.match(stdout, /^failed: .*b\.test\.js: outer › inner › what is claimed$/m);
  t.equal(lines.at(-2), '3 passed, 1 failed, 1 skipped');
});

const WRONG: Record<string, [text: string, why: RegExp]> = {
  'throws at once': ['throw new Error("not even tap");', /ended with exit code 1/],
  'has no test': ['', /there is no test in it/],
  'imports tap and has no test': [TAP, /there is no test in it/],
  'ends too early': [`${TAP}t.test('a', async t => { t.ok(1); process.exit(3); });`, /./],
  'fails its plan': [`${TAP}t.test('a', t => { t.plan(2); t.ok(1); t.end(); });`, /plan/],
  'is killed': [`${TAP}t.ok(true); process.kill(process.pid, 'SIGKILL');`, /ended by SIGKILL/],
  hangs: [
    `${TAP}t.setTimeout(500); t.test('a', async t => {
    setInterval(() => {}, 1000); await new Promise(() => {}); });`,
    /timeout!|ended by SIGALRM/,
  ],
};
for (const [what, [text, why]] of Object.entries(WRONG)) {
  void t.test(`a file that ${what} has failed`, async t => {
    const { code, lines, stdout } = await run({ 'a.test.js': text });
    t.equal(code, 1);
    t.match(lines.at(-2), /^\d+ passed, [1-9]\d* failed$/);
    t.match(stdout, why);
  });
}

void t.test(
  'with more tries, a file that passes then counts as passed and is named with its reason',
  async t => {
    const { code, lines, stdout, result } = await run(
      {
        'a.test.js': `${TAP}import { existsSync, writeFileSync } from 'node:fs';
        const mark = new URL('mark', import.meta.url);
        t.test('second time', async t => t.ok(existsSync(mark), 'lucky'));
        writeFileSync(mark, '');`,
      },
      { LB4_TEST_TRIES: '2' },
    );
    t.equal(code, 0);
    t.match(stdout, /^passed when tried again: .*a\.test\.js: second time › lucky$/m);
    t.equal(lines.at(-2), '1 passed, 0 failed');
    t.match(JSON.parse(result()), { passed: 1, failed: 0, lucky: [/second time › lucky$/], failures: [] });
  },
);

const WORKER = `${TAP}import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
t.test('a worker without a plan', async t => {
  const [{ stack }] = await once(new Worker(new URL('../../src/host/worker-main.js', import.meta.url)), 'error');
  const isBundled = process.env.LB4_TEST_COMMAND !== undefined;
  t.match(stack, isBundled ? 'dist/bundle/bin/' : /(dist|src).host.worker-main/);
  t.equal(String(isBundled), process.env.WANTED ?? String(isBundled));
});`;

void t.test(
  'workers come from the bundle where the command does, and not where coverage is taken',
  async t => {
    const coverage = mkdtempSync(join(root, 'dist/samples/coverage-'));
    t.teardown(() => rmSync(coverage, { recursive: true, force: true }));
    for (const env of [{}, { NODE_V8_COVERAGE: coverage, WANTED: 'false' }])
      t.match(await run({ 'a.test.js': WORKER }, { LB4_TEST_COMMAND: undefined, ...env }), { code: 0 });
  },
);

void t.test('a folder without a test is an error', async t => {
  const { code, stderr } = await run({});
  t.equal(code, 1);
  t.match(stderr, /no test file in dist\/samples/);
});
