/**
 * Whatever a user may rely on is named by a test: keys, options, routes, signals, exit codes, statuses of the API.
 *
 * What is documented and what the code has are the same, as documents.test.ts and configuration.test.ts hold; so nothing
 * can be tested that is not documented. Here is the third side. A name in a test is no proof of a good test; a name in
 * none is proof of a missing one.
 */
import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import type * as z from 'zod';
import { routes } from '../../src/admin/routes.ts';
import { CLIENT_COMMANDS } from '../../src/cli/client/client-commands.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { variableOf } from '../../src/config/source/environment.ts';
import { keysOf } from '../harness/schema-keys.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const namesIn = (folder: string): string[] =>
  readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' }).map(
    name => `${folder}/${name}`,
  );
/** Tests of documents name everything by themselves. */
const tests = namesIn('test')
  .filter(name => name.endsWith('.test.ts') && !name.startsWith('test/docs/'))
  .map(read);

const isTested = (...words: readonly RegExp[]): boolean =>
  tests.some(text => words.every(word => word.test(text)));

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`);
}

void t.test('every key of the configuration is named by a test, beside its section', async t => {
  const schema = JSON.parse(read('schema/lb4.schema.json')) as z.core.JSONSchema.JSONSchema;
  const keys = keysOf(schema).map(path => path.replaceAll('[]', '').split('.'));
  t.ok(keys.length > 60);
  // As a key, as a part of a path such as `connect.timeout`, or as a property.
  const named = (key: string): RegExp => new RegExp(`(?<![\\w-])${escaped(key)}(?![\\w-])`);
  const untested = keys.filter(path => path[0] !== '$schema' && !isTested(...path.slice(-2).map(named)));
  t.same(
    untested.map(path => path.join('.')),
    [],
  );
});

void t.test('every option is named by a test, by itself or as its variable', async t => {
  const [, ofRun = ''] = /^## Options of run\n(.*?)^## /ms.exec(read('docs/cli.md')) ?? [];
  const options = Array.from(ofRun.matchAll(/^\| `(?:-\w, )?--([a-z-]+)`/gm), ([, name = '']) => name);
  t.ok(options.length > 20);
  const [, ofOthers = ''] = /^## A running lb4\n(.*?)^## /ms.exec(read('docs/cli.md')) ?? [];
  const others = Array.from(ofOthers.matchAll(/`(?:-\w, )?--([a-z-]+)[^`]*`/g), ([, name = '']) => name);
  const untested = [...new Set([...options, ...others])].filter(
    name =>
      !isTested(new RegExp(`(?<![\\w-])--${escaped(name)}(?![\\w-])`)) &&
      !isTested(new RegExp(`\\b${variableOf(name)}\\b`)),
  );
  t.same(untested, []);
});

void t.test('every command that asks a running lb4 is run by a test', async t => {
  const untested = CLIENT_COMMANDS.filter(
    name => !isTested(/lb4-process|command-line/, new RegExp(`['"\`\\[ ]${name}['"\` ]`)),
  );
  t.same(untested, []);
});

void t.test('every route is asked by a test, with its method', async t => {
  const untested = routes.filter(({ method, path }) => {
    const form = escaped(path).replaceAll(/\\\{\w+\\\}/g, '[^/\'"]+');
    // A helper may stand for the first part of a path.
    const last = path.split('/').at(-1) ?? '';
    return !isTested(
      new RegExp(`\\b${method}\\b`),
      new RegExp(`${form}(?![\\w/])|['"\`]/?${escaped(last)}['"\`]`),
    );
  });
  t.same(
    untested.map(({ method, path }) => `${method} ${path}`),
    [],
  );
});

void t.test(
  'every signal that is documented is handled and sent by a test, and no other is handled',
  async t => {
    const [, section = ''] = /^## Signals\n(.*?)^#/ms.exec(read('docs/cli.md')) ?? [];
    const documented = new Set(
      Array.from(
        section.matchAll(/^\| (SIG[^|]*)\|/gm),
        ([, cell = '']) => cell.match(/SIG\w+/g) ?? [],
      ).flat(),
    );
    const handled = new Set(read('src/cli/signals.ts').match(/(?<=')SIG\w+(?=')/g) ?? []);
    // Node ignores it.
    t.same([...documented].sort(), [...handled, 'SIGPIPE'].sort());
    t.same(
      [...documented].filter(signal => !isTested(new RegExp(`'${signal}'`))),
      [],
    );
  },
);

void t.test('every exit code is expected by a test', async t => {
  const untested = Object.values(EXIT).filter(
    code => !isTested(/lb4-process|command-line/, new RegExp(`\\bcode[,:] ${code}\\b|, ${code}\\]?[,)]`)),
  );
  t.same(untested, []);
});

void t.test(
  'every status of an error of the API is documented, and expected by a test; no other is',
  async t => {
    const [, table = ''] = /^\| status \| when \|\n(.*?)\n\n/ms.exec(read('docs/admin-api.md')) ?? [];
    const documented = Array.from(table.matchAll(/^\| ([\d, ]+) \|/gm), ([, cell = '']) => cell.split(', '))
      .flat()
      .map(Number);
    const sources = namesIn('src/admin').filter(name => name.endsWith('.ts'));
    const thrown = new Set(
      sources
        .map(read)
        .flatMap(text => [
          ...Array.from(text.matchAll(/new Problem\(\s*(\d{3})/g), ([, status]) => Number(status)),
          ...Array.from(text.matchAll(/^ {2}LB4_\w+: (\d{3}),$/gm), ([, status]) => Number(status)),
          ...Array.from(text.matchAll(/\? (\d{3}) : (\d{3})/g), ([, one, two]) => [
            Number(one),
            Number(two),
          ]).flat(),
        ]),
    );
    t.same(documented.toSorted(), [...thrown].sort());
    t.same(
      documented.filter(status => !isTested(/startAdmin|askAdmin/, new RegExp(`\\b${status}\\b`))),
      [],
    );
  },
);
