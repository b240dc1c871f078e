/** What the documents list and what the code has are the same, both ways. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { ERROR_CODES } from '../../src/errors.ts';
import { routes } from '../../src/admin/routes.ts';
import { CLIENT_COMMANDS } from '../../src/cli/client/client-commands.ts';
import { EVENT_NAMES } from '../../src/model/events.ts';
import { HOLD_REASONS } from '../../src/model/data-event.ts';
import { accessFields } from '../../src/observe/access-log.ts';
import { REASONS } from '../../src/model/termination.ts';
import { STRATEGY_NAMES } from '../../strategies/index.ts';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { variableOf } from '../../src/config/source/environment.ts';
import { PRESETS } from '../../src/control/health/presets.ts';
import { fieldsOf, wordsOf } from '../harness/declared-types.ts';
import { LB4 } from '../harness/lb4-process.ts';
import { runProgram } from '../harness/programs.ts';
import '../harness/run-once.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const DOCUMENTS = [
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'],
  ...['bench', 'pool', 'strategies'].map(folder => `${folder}/README.md`),
  ...readdirSync(new URL('docs/', root), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
];

/** The rows, as cells, of the table that begins with `heading`. */
function rowsOf(text: string, heading: string): string[][] {
  const table = text.slice(text.indexOf(`\n${heading}`) + 1).split('\n\n')[0] ?? '';
  return table
    .split('\n')
    .slice(2)
    .map(row => row.split(/(?<!\\)\|/).map(cell => cell.trim()))
    .map(cells => cells.slice(1, -1));
}

/** The words in backticks. */
function codeIn(cell = ''): string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), match => match[1] ?? '');
}

/** Those in the first column. */
function firstCells(text: string, heading: string): string[] {
  return rowsOf(text, heading).flatMap(([first]) => codeIn(first));
}

const help = async (...command: string[]): Promise<string> =>
  (await runProgram(process.execPath, [LB4, ...command, '--help'])).stdout;

/** Options in a help text: `--name`, with the default that the text gives. */
function optionsIn(text: string): Map<string, string | undefined> {
  const entries =
    text
      .slice(text.indexOf('\nOptions:\n'))
      .split(/\n\n/)[0]
      ?.split(/\n(?= {2}-)/) ?? [];
  return new Map(
    entries.slice(1).map(entry => {
      const words = entry.replaceAll(/\s+/g, ' ');
      const byDefault = /(\S+) \(default[,)]/.exec(words)?.[1] ?? /default: ([^)]+)\)/.exec(words)?.[1];
      return [/--[a-z-]+/.exec(words)?.[0] ?? words, byDefault];
    }),
  );
}

void t.test('docs/errors.md has a heading for every error code, and no other', async t => {
  const headings = Array.from(read('docs/errors.md').matchAll(/^## (\S+)$/gm), match => match[1]);
  t.same(headings.sort(), [...ERROR_CODES].sort());
});

void t.test('docs/events.md lists every event, and no other', async t => {
  t.same(firstCells(read('docs/events.md'), '| event |').sort(), [...EVENT_NAMES].sort());
});

void t.test('docs/log.md lists every entry of the log, with its level, and no other', async t => {
  const files = ['observe', 'cli', 'admin'].flatMap(folder =>
    readdirSync(new URL(`src/${folder}/`, root), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts'))
      .map(name => `src/${folder}/${name}`),
  );
  const entries = new Map<string, string | undefined>([['linesLost', 'warn']]);
  for (const text of files.map(read)) {
    for (const [, level, name = ''] of text.matchAll(/\.write\(\s*(?:'(\w+)'|\w+),\s*'(\w+)'/g))
      entries.set(name, level);
  }
  const rows = rowsOf(read('docs/log.md'), '| level |');
  const documented = new Map(rows.flatMap(([level, names]) => codeIn(names).map(name => [name, level])));
  t.same([...documented.keys()].sort(), [...entries.keys()].sort());
  for (const [name, level] of entries) if (level !== undefined) t.equal(documented.get(name), level, name);
});

void t.test('docs/admin-api.md lists every route, and no other', async t => {
  const documented = firstCells(read('docs/admin-api.md'), '| route |').sort();
  t.same(documented, routes.map(({ method, path }) => `${method} ${path}`).sort());
});

void t.test('docs/admin-api.md lists every filter of sessions, and no other', async t => {
  const filters = firstCells(read('docs/admin-api.md'), '| filter |').sort();
  for (const { path, query } of routes)
    if (path === '/api/v1/sessions') t.same(filters, Object.keys(query.shape).sort());
});

void t.test('docs/admin-api.md lists every parameter of the events, and no other', async t => {
  const parameters = firstCells(read('docs/admin-api.md'), '| parameter |').sort();
  for (const { path, query } of routes)
    if (path === '/api/v1/events') t.same(parameters, Object.keys(query.shape).sort());
});

void t.test('docs/terminations.md lists every reason, and no other', async t => {
  t.same(firstCells(read('docs/terminations.md'), '| reason |').sort(), [...REASONS].sort());
});

void t.test('docs/access-log.md lists every field, and no other', async t => {
  const fields = accessFields({
    id: '1',
    listener: 'l',
    upstream: 'u',
    clientAddress: '::1',
    clientPort: 1,
    tlsVersion: 'TLSv1.3',
    backend: 'b',
    attempts: 1,
    warm: false,
    reused: false,
    startedAtMs: 0,
    durationMs: 1,
    queuedMs: 1,
    localAddress: '127.0.0.1:80',
    sourceAddress: '10.0.0.9:4000',
    tried: ['b'],
    firstByteMs: 1,
    connectMs: 1,
    bytesFromClient: 0,
    bytesFromBackend: 0,
    by: 'client',
    phase: 'relay',
    reason: 'closed',
  });
  t.same(firstCells(read('docs/access-log.md'), '| field |').sort(), Object.keys(fields).sort());
});

void t.test('docs/strategies.md has every strategy', async t => {
  const text = read('docs/strategies.md');
  for (const name of STRATEGY_NAMES) t.match(text, `\`${name}\``);
});

void t.test('docs/cli.md lists every option of run, and no other, with its default', async t => {
  const rows = rowsOf(read('docs/cli.md'), '| option |');
  const documented = new Map(
    rows.map(([option = '', byDefault]) => [/--[a-z-]+/.exec(option)?.[0] ?? option, byDefault]),
  );
  const options = optionsIn(await help());
  t.same([...documented.keys()].sort(), [...options.keys()].sort());
  for (const [option, byDefault] of options) {
    if (byDefault === undefined || option === '--log-format') continue;
    t.equal(documented.get(option), `\`${byDefault}\``, option);
  }
});

void t.test('the defaults of options are those of their keys in the configuration', async t => {
  const keys = new Map(
    rowsOf(read('docs/configuration.md'), '| Key |').map(([key = '', , byDefault]) => [
      codeIn(key)[0],
      byDefault,
    ]),
  );
  const rows = rowsOf(read('docs/cli.md'), '| option |');
  const pairs = rows.flatMap(([option = '', byDefault = '', , key = '']) => {
    const found = codeIn(key)[0] ?? '';
    return byDefault.startsWith('`') && keys.get(found)?.startsWith('`') === true
      ? [[option, byDefault, found]]
      : [];
  });
  t.ok(pairs.length > 5);
  for (const [option = '', byDefault = '', key = ''] of pairs) t.equal(byDefault, keys.get(key), option);
});

void t.test('docs/cli.md lists the options of the other commands, and the commands', async t => {
  const text = read('docs/cli.md');
  for (const command of ['demo', 'check']) {
    const documented = codeIn(new RegExp(`^- \\*\\*\`lb4 ${command}\`\\*\\*.*$`, 'm').exec(text)?.[0]).filter(
      code => code.startsWith('-'),
    );
    const options = [...optionsIn(await help(command)).keys()].filter(option => option !== '--help');
    t.same(documented.map(code => /--[a-z-]+/.exec(code)?.[0]).sort(), options.sort(), command);
  }
  const [, list = ''] = /^Commands:\n(.*?)\n\n/ms.exec(await help()) ?? [];
  const commands = Array.from(list.matchAll(/^ {2}([a-z]+) /gm), ([, name = '']) => name);
  const [, usage = ''] = text.split('```');
  const listed = Array.from(usage.matchAll(/^lb4 ([a-z|]+) /gm), ([, names = '']) => names.split('|'));
  t.same([...new Set(listed.flat())].sort(), commands.sort());
});

void t.test('docs/cli.md has every option of the commands that ask a running lb4, and no other', async t => {
  const [, section = ''] = /^## A running lb4\n(.*?)^## /ms.exec(read('docs/cli.md')) ?? [];
  const documented = codeIn(section.replaceAll(/^```.*?^```/gms, ''))
    .flatMap(code => /(?:^|\s)--[a-z-]+/.exec(code)?.[0].trim() ?? [])
    .filter(option => option !== '--help');
  const options = await Promise.all(
    CLIENT_COMMANDS.map(async command => [...optionsIn(await help(command)).keys()]),
  );
  const all = new Set(options.flat().filter(option => option !== '--help'));
  t.same([...new Set(documented)].sort(), [...all].sort());
});

void t.test('docs/cli.md and the help have every exit code, and no other', async t => {
  const codes = Object.values(EXIT);
  t.same(
    rowsOf(read('docs/cli.md'), '| code |').map(([code]) => Number(code)),
    codes,
  );
  const line = /^Exit codes: (.*)$/m.exec(await help())?.[1] ?? '';
  t.same(Array.from(line.matchAll(/\d+/g), Number), codes);
});

void t.test('docs/health-checks.md and docs/cli.md have every preset', async t => {
  const presets = Object.keys(PRESETS).sort();
  t.same(firstCells(read('docs/health-checks.md'), '| preset |').sort(), presets);
  const health = rowsOf(read('docs/cli.md'), '| option |').find(([option]) => option?.includes('`--health`'));
  for (const preset of presets) t.ok(codeIn(health?.[2]).includes(preset), preset);
});

void t.test('docs/terminations.md lists everybody who ends a session, and every phase', async t => {
  const text = read('docs/terminations.md');
  t.same(firstCells(text, '| by |').sort(), wordsOf('src/model/termination.ts', 'EndedBy').sort());
  t.same(firstCells(text, '| phase |').sort(), wordsOf('src/model/termination.ts', 'Phase').sort());
});

void t.test(
  'docs/events.md names every field of every event, and the words that a reason can be',
  async t => {
    const rows = new Map(
      rowsOf(read('docs/events.md'), '| event |').map(([event, , fields]) => [codeIn(event)[0], fields]),
    );
    for (const [event, fields] of fieldsOf('src/model/events.ts', 'EventMap')) {
      for (const field of fields) t.ok(codeIn(rows.get(event)).includes(field), `${event}: ${field}`);
    }
    for (const reason of HOLD_REASONS) t.ok(codeIn(rows.get('listener:paused')).includes(reason), reason);
  },
);

void t.test(
  'every variable that a document names means something, and every one of the tests is documented',
  async t => {
    const inTexts = (files: readonly string[]) =>
      new Set(
        files.flatMap(file => Array.from(read(file).matchAll(/\bLB4_[A-Z_]*[A-Z]\b/g), ([name]) => name)),
      );
    const known = new Set([
      ...[...optionsIn(await help()).keys()].map(option => variableOf(option.slice(2))),
      ...ERROR_CODES,
      ...inTexts([
        'scripts/test.mjs',
        'test/harness/full-load.ts',
        'test/harness/properties.ts',
        'test/harness/data-plane.ts',
        'test/harness/epoll-engine.ts',
        'bench/peers/lb4.ts',
        'bench/processes/own-network.ts',
      ]),
      // Of those that Kubernetes makes, two as examples.
      'LB4_SERVICE_HOST',
      'LB4_PORT_8080_TCP',
    ]);
    const unknown = [...inTexts(DOCUMENTS)].filter(name => !known.has(name));
    t.same(unknown, []);
    const forTests = [...known].filter(name => name.startsWith('LB4_TEST_'));
    t.same(
      forTests.filter(name => !inTexts(['CONTRIBUTING.md']).has(name)),
      [],
    );
  },
);

void t.test('every file and folder that a document names is there', async t => {
  const missing = DOCUMENTS.flatMap(document =>
    codeIn(read(document).replaceAll(/^```.*?^```/gms, ''))
      .filter(code =>
        /^(?:bench|bin|deploy|docs|pool|schema|scripts|src|strategies|test)\/[\w./-]*$/.test(code),
      )
      .filter(path => !existsSync(new URL(path, root)))
      .map(path => `${document}: ${path}`),
  );
  t.same(missing, []);
});

void t.test('every npm script that a document names is there', async t => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const named = DOCUMENTS.flatMap(document =>
    Array.from(read(document).matchAll(/\bnpm run (\w+)/g), ([, script = '']) => script),
  );
  t.same(
    [...new Set(named)].filter(script => scripts[script] === undefined),
    [],
  );
});
