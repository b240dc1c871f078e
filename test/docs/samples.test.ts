/** The samples in the documents work: configurations are valid, programs run. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { loadConfigFile } from '../../src/config/load.ts';
import { runProgram } from '../harness/programs.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
// Within the package, so that a sample's `from 'lb4-balancer'` means this very build.
mkdirSync(join(root, 'dist/samples'), { recursive: true });
const folder = mkdtempSync(join(root, 'dist/samples/run-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

const documents = [
  'README.md',
  'pool/README.md',
  'strategies/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
];

function samples(language: string): { document: string; text: string }[] {
  return documents.flatMap(document =>
    Array.from(
      readFileSync(join(root, document), 'utf8').matchAll(
        new RegExp('^```' + language + '\\n(.*?)^```$', 'gms'),
      ),
      ([, text = '']) => ({ document, text }),
    ),
  );
}

void t.test('configurations in the documents are valid', async t => {
  const found = samples('yaml').filter(({ text }) => /^listeners:/m.test(text));
  t.ok(found.length > 0);
  found.forEach(({ document, text }, i) => {
    const path = join(folder, `${i}.yaml`);
    writeFileSync(path, text);
    const loaded = loadConfigFile(path, {});
    t.ok(loaded.ok, `${document}: ${loaded.ok ? 'valid' : loaded.message}`);
  });
});

void t.test('programs in the documents run', async t => {
  const found = samples('js').filter(({ text }) => /from 'lb4-balancer['/]/.test(text));
  t.ok(found.length > 0);
  for (const [i, { document, text }] of found.entries()) {
    const path = join(folder, `${i}.mjs`);
    writeFileSync(path, text);
    const { code, stderr } = await runProgram(process.execPath, [path], { timeoutMs: 20_000 });
    t.equal(code, 0, `${document}: ${stderr}`);
  }
});
