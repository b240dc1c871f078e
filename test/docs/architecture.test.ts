/** The rooms of docs/architecture.md, of lint's allow-list and of the code are the same, and imports run one way. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import t from 'tap';
import tseslint from 'typescript-eslint';

const scriptAt = (name: string): string =>
  fileURLToPath(new URL(`../../../scripts/${name}`, import.meta.url));
const { roomOf, ROOMS, whyNot } = (await import(scriptAt('rooms.mjs'))) as {
  readonly ROOMS: Readonly<Record<string, readonly string[]>>;
  readonly roomOf: (path: string) => string | undefined;
  readonly whyNot: (from: string, to: string) => string | undefined;
};
const { default: rooms } = (await import(scriptAt('eslint-rooms.mjs'))) as { readonly default: object };

const LEAVES = ['support', 'errors'];

/** Room → rooms, of the table under `## Where things live`. */
function documented(): Map<string, readonly string[]> {
  const rows = readFileSync('docs/architecture.md', 'utf8').matchAll(
    /^\| `([a-z -]+)` \| .* \| ([^|]+) \|$/gm,
  );
  return new Map(
    Array.from(rows, ([, room = '', allowed = '']) => [room, allowed === '–' ? [] : allowed.split(', ')]),
  );
}

/** Every import between two rooms, as `room → room`, with one file that has it. */
function inCode(): Map<string, string> {
  const found = new Map<string, string>();
  for (const folder of ['bin', 'src', 'strategies', 'pool']) {
    for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      const file = join(folder, entry);
      if (!file.endsWith('.ts')) continue;
      for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(
        /(?:from|import) '(\.{1,2}\/[^']+)'/g,
      )) {
        const [from, to] = [roomOf(file), roomOf(join(dirname(file), specifier))];
        if (from !== to && from !== undefined && to !== undefined) found.set(`${from} → ${to}`, file);
      }
    }
  }
  return found;
}

void t.test('the table names the rooms of the allow-list, with what each may import', async t => {
  t.same(Object.fromEntries(documented()), ROOMS);
});

void t.test('the code imports what is allowed, and nothing is allowed that it does not import', async t => {
  const code = inCode();
  t.ok(code.size > 50, `${code.size} kinds of imports are found`);
  const allowed = Object.entries(ROOMS).flatMap(([room, others]) =>
    others.map(other => `${room} → ${other}`),
  );
  const beyondLeaves = [...code].filter(([arrow]) => !LEAVES.includes(arrow.split(' → ')[1] ?? ''));
  t.same(
    beyondLeaves.filter(([arrow]) => !allowed.includes(arrow)),
    [],
  );
  t.same(
    allowed.filter(arrow => !code.has(arrow)),
    [],
  );
});

void t.test('no import runs upward: each room stands above all that it may import', async t => {
  const order = Object.keys(ROOMS);
  for (const [room, others] of Object.entries(ROOMS))
    for (const other of others) t.ok(order.indexOf(other) > order.indexOf(room), `${room} → ${other}`);
});

void t.test('lint refuses an import that is not allowed, and a folder without a rule', async t => {
  const eslint = new ESLint({
    overrideConfigFile: true,
    overrideConfig: [
      {
        files: ['**/*.ts'],
        languageOptions: { parser: tseslint.parser },
        plugins: { rooms },
        rules: { 'rooms/imports': 'error' },
      },
    ],
  });
  const said = async (filePath: string, text: string): Promise<string[]> =>
    (await eslint.lintText(text, { filePath })).flatMap(({ messages }) =>
      messages.map(({ message }) => message),
    );
  t.match(await said('src/control/new.ts', "import '../data/session/session.ts';"), [
    /control may not import data/,
  ]);
  t.match(await said('src/data/new.ts', "export * from '../control/health/probe.ts';"), [
    /data may not import control/,
  ]);
  t.match(await said('src/cellar/wine.ts', 'export const red = 1;'), [/no rule for cellar/]);
  t.match(await said('src/model/new.ts', "import '../cellar/wine.ts';"), [/model may not import cellar/]);
  t.match(await said('src/model/new.ts', "import '../../test/harness/until.ts';"), [/shipped/]);
  t.same(await said('src/model/new.ts', "import '../support/address.ts';"), []);
  t.match(whyNot('pool/warm-pool.ts', 'src/support/timer.ts') ?? '', /pool may not import support/);
});
