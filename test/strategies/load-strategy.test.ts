import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { STRATEGIES, STRATEGY_NAMES } from '../../strategies/index.ts';
import { loadStrategy, strategyVersion } from '../../strategies/load-strategy.ts';
import { strategyContract } from '../contracts/strategy.ts';
import { anyone, deps, fake, without } from './fakes.ts';

/** The repository, seen from dist/test/strategies/. */
const root = fileURLToPath(new URL('../../../', import.meta.url));
const example = await loadStrategy('./deploy/examples/my-strategy.js', root);

await strategyContract(t, 'the example in deploy/examples', example);

await t.test('the example prefers the near backends, then the fewest sessions', t => {
  const near = [fake('10.0.1.1:80', 1, 9), fake('10.0.1.2:80', 1, 8)];
  const far = [fake('10.0.2.1:80', 1, 1), fake('10.0.2.2:80', 1, 0)];
  const strategy = example([far[0]!, near[0]!, far[1]!, near[1]!], deps());
  t.equal(strategy.pick(anyone), near[1]);
  t.equal(strategy.pick(without(near[1]!)), near[0]);
  t.equal(strategy.pick(without(...near)), far[1]);
  t.end();
});

await t.test('a name gives the built-in strategy', async t => {
  for (const name of STRATEGY_NAMES) t.equal(await loadStrategy(name, root), STRATEGIES[name]);
});

await t.test('what is neither name nor path says what there is', async t => {
  await t.rejects(loadStrategy('leastcon', root), {
    message:
      "unknown strategy 'leastcon': expected one of roundrobin, leastconn, iphash, random, p2c, ewma, first, or a path such as ./my-strategy.js",
  });
  await t.rejects(loadStrategy('my-strategy.ts', root), /unknown strategy/);
});

await t.test('takes a relative, a parent, an absolute and a bare path, and a default export', async t => {
  const text = 'export default candidates => ({ pick: ({ skip }) => candidates.find(c => !skip?.(c)) });';
  const dir = t.testdir({ 'a.mjs': text, 'b.js': text, inner: {}, 'odd #?%20name.mjs': text });
  const paths = ['./a.mjs', 'a.mjs', 'b.js', join(dir, 'a.mjs'), './odd #?%20name.mjs'];
  for (const path of paths) t.type(await loadStrategy(path, dir), 'function');
  t.type(await loadStrategy('../a.mjs', join(dir, 'inner')), 'function');
});

await t.test('a module may use all that a strategy is given, when it is tried out too', async t => {
  const text = `export const createStrategy = (candidates, { now, random }) => ({
    pick: ({ clientAddress, skip }) =>
      candidates.find(c => !skip?.(c) && c.live() + now() + random() + clientAddress.length >= 0),
  });`;
  const dir = t.testdir({ 'a.mjs': text });
  t.type(await loadStrategy('./a.mjs', dir), 'function');
});

await t.test('a file that has changed is read again', async t => {
  const text = (index: number): string =>
    `export const createStrategy = c => ({ pick: ({ skip }) => (skip ? undefined : c[${String(index)}]) });`;
  const dir = t.testdir({ 'a.mjs': text(0) });
  const all = [fake('x'), fake('y')];
  t.equal((await loadStrategy('./a.mjs', dir))(all, deps()).pick(anyone), all[0]);
  await writeFile(join(dir, 'a.mjs'), text(1));
  await utimes(join(dir, 'a.mjs'), 1, 1);
  t.equal((await loadStrategy('./a.mjs', dir))(all, deps()).pick(anyone), all[1]);
});

const good = 'export const createStrategy = () =>';
const defects: Record<string, [text: string, message: RegExp]> = {
  'is no JavaScript': ['export const = 1;', /expected a JavaScript module, found .*Unexpected token/],
  'throws at import': ['throw "early";', /expected a JavaScript module, found string early/],
  'exports nothing': [
    '',
    /expected a function exported as createStrategy or as default, found exports: nothing/,
  ],
  'exports other things': ['export const a = 1, createStrategy = 2;', /found exports: a, createStrategy/],
  'makes nothing': [`${good} undefined;`, /an object with a function pick, found undefined undefined/],
  'makes null': [`${good} null;`, /an object with a function pick, found object null/],
  'makes no pick': [`${good} ({ pic: 1 });`, /an object with a function pick, found an object with pic/],
  'has a pick to look at': [`${good} ({ pick: 1 });`, /a function pick, found an object with pick/],
  'throws when called': [
    `${good} { throw new Error('no') };`,
    /expected createStrategy not to throw, found no/,
  ],
  'picks an id': [
    'export default c => ({ pick: () => c[0].id });',
    /one of the candidates or undefined, found string/,
  ],
  'picks later': [
    'export default c => ({ pick: async () => c[0] });',
    /undefined, found an object with no prop/,
  ],
  'ignores skip': [
    'export default c => ({ pick: () => c[0] });',
    /expected pick to return undefined when skip refuses every candidate, found an object with id/,
  ],
  'cannot do without candidates': [
    'export default c => ({ pick: ({ skip }) => (skip ? undefined : c.reduce(a => a)) });',
    /expected pick not to throw, found Reduce of empty array/,
  ],
  'picks from nothing': [
    'export default c => ({ pick: ({ skip }) => (skip ? undefined : (c[0] ?? null)) });',
    /expected pick to return undefined when there is no candidate, found object null/,
  ],
  'throws at a pick': [
    'export default () => ({ pick() { throw 1; } });',
    /pick not to throw, found number 1/,
  ],
};

for (const [what, [text, message]] of Object.entries(defects)) {
  await t.test(`a module that ${what} is refused by path, with what was expected and found`, async t => {
    const dir = t.testdir({ 'my.mjs': text });
    const error: unknown = await loadStrategy('./my.mjs', dir).catch((error: unknown) => error);
    t.match(error, { message });
    t.match(error, { message: `strategy module ${join(dir, 'my.mjs')}: ` });
  });
}

await t.test('a .js file that Node takes for CommonJS is refused with what to do about it', async t => {
  const dir = t.testdir({
    'package.json': '{ "type": "commonjs" }',
    'export.js': 'export default 1;',
    'import.js': "import 'node:fs';",
    'other.js': 'const = 1;',
  });
  const found = async (name: string): Promise<string> =>
    String(await loadStrategy(name, dir).catch((error: unknown) => error));
  const hint = /; name the file \.mjs, or set "type": "module" in its package\.json$/;
  for (const name of ['export.js', 'import.js']) t.match(await found(name), hint, name);
  t.match(await found('other.js'), /Unexpected token '='$/);
});

await t.test('a module that is not there is refused, with the cause', async t => {
  await t.rejects(loadStrategy('./none.js', root), {
    message: /^strategy module .*none\.js: expected a JavaScript module, found ENOENT/,
    cause: { code: 'ENOENT' },
  });
});

await t.test('a module that never finishes loading is refused when its time is over', async t => {
  const path = join(t.testdir(), 'never.mjs');
  await writeFile(path, 'await new Promise(() => undefined);');
  await t.rejects(loadStrategy(path, root, 10), { message: /never\.mjs: .* has not loaded within 0\.01 s$/ });
});

await t.test(
  'a version stands for its strategy, and another text in the same file has another one',
  async t => {
    t.equal(await strategyVersion('leastconn', root), 'leastconn');
    const path = join(t.testdir(), 'own.mjs');
    const module =
      'export const createStrategy = candidates => ({ pick: ({ skip }) => candidates.find(each => !skip?.(each)) });';
    await writeFile(path, module);
    const version = await strategyVersion(path, root);
    t.equal(typeof (await loadStrategy(version, '/')), 'function');
    await utimes(path, 1, 1);
    t.not(await strategyVersion(path, root), version);
  },
);
