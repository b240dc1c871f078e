/** `npm run verify` finds its files by the helpers that they import: what has to be so for none to be forgotten. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runProgram } from '../harness/programs.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');

void t.test('what makes a test longer or chooses its engine is read in one file each', async t => {
  const readers = (variable: string) =>
    ['test', 'bench', 'src', 'pool', 'strategies']
      .flatMap(folder =>
        readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' }).map(
          name => `${folder}/${name}`,
        ),
      )
      .filter(
        file =>
          file.endsWith('.ts') &&
          new RegExp(`env.*\\b${variable}\\b|\\b${variable}\\b.*env`).test(read(file)),
      );
  t.same(readers('LB4_TEST_LOAD'), ['test/harness/full-load.ts']);
  t.same(readers('LB4_TEST_ENGINE'), ['test/harness/data-plane.ts']);
});

void t.test('every test of a property has its seed from one file', async t => {
  const users = readdirSync(`${root}test`, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts') && /^import .* from 'fast-check'/m.test(read(`test/${file}`)))
    .map(file => `test/${file}`);
  t.same(users, ['test/harness/properties.ts']);
});

void t.test('every part of npm run verify has files, and they are those that use the helpers', async t => {
  const { code, stdout } = await runProgram(process.execPath, ['scripts/verify.mjs', '--list'], {
    cwd: root,
  });
  t.equal(code, 0);
  const parts = new Map(
    stdout
      .trim()
      .split(/\n(?! )/)
      .map(part => part.split('\n    '))
      .map(([name = '', ...files]) => [name, files]),
  );
  t.match(
    [...parts.keys()],
    ['node engine', 'coverage of the data path', 'long variants', 'long variants, node engine'],
  );
  for (const [name, files] of parts) t.not(files.length, 0, name);
  // By itself, through a helper, and through a contract's parts.
  t.ok(parts.get('long variants')?.includes('dist/test/e2e/package.test.js'));
  t.ok(parts.get('long variants')?.includes('dist/test/e2e/network-faults.test.js'));
  t.ok(parts.get('long variants')?.includes('dist/test/src/engine/epoll-engine.test.js'));
  t.ok(parts.get('node engine')?.includes('dist/test/integration/queue.test.js'));
  t.ok(parts.get('properties from a new seed')?.includes('dist/test/src/config/diff.test.js'));
  t.ok(parts.get('coverage of the data path')?.includes('dist/test/src/data/dispatch/dispatcher.test.js'));
  t.notOk(parts.get('node engine')?.includes('dist/test/pool/warm-pool.test.js'));
  t.notOk(parts.get('node engine')?.includes('dist/test/e2e/upgrade.test.js'), 'it plays both engines');

  const again = [...parts].flatMap(([name, files]) => (name.endsWith('node engine') ? files : []));
  for (const file of new Set(again)) {
    const text = read(file.replace(/^dist/, '').replace(/\.js$/, '.ts').slice(1));
    // An engine that the test names is not the one that the part wants: it either reads that one, or runs once.
    const names = /(['"`])epoll\1|--engine\b|\bengine: (epoll|node|auto|\$)/.test(text);
    t.ok(!names || text.includes("from '../harness/data-plane.ts'"), `${file} names no engine by itself`);
  }
});

void t.test('the longest files come first, and each is there', async t => {
  const script: string = fileURLToPath(new URL('../../../scripts/test-files.mjs', import.meta.url));
  const { LONGEST, longestFirst } = (await import(script)) as {
    readonly LONGEST: readonly string[];
    readonly longestFirst: (files: readonly string[]) => string[];
  };
  for (const file of LONGEST) t.ok(existsSync(`${root}${file}`), file);
  const [last = ''] = LONGEST.slice(-1);
  const short = 'dist/test/strategies/at.test.js';
  const middle = 'dist/test/e2e/cli.test.js';
  t.same(longestFirst([short, middle, last]), [last, middle, short]);
});
