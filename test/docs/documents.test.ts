/** What the documents list and what the code has are the same, both ways. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { ERROR_CODES } from '../../src/errors.ts';
import { EVENT_NAMES } from '../../src/events.ts';
import { accessFields } from '../../src/observability/access-log.ts';
import { REASONS } from '../../src/termination.ts';
import { STRATEGY_NAMES } from '../../strategies/index.ts';
import { LB4 } from '../harness/lb4-process.ts';
import { runProgram } from '../harness/programs.ts';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');

/** The first cells, in backticks, of the table that follows `heading` (the first one without). */
function firstCells(text: string, heading: string): string[] {
  const table = text.slice(text.indexOf(heading)).split('\n\n')[heading.startsWith('|') ? 0 : 1] ?? '';
  return table
    .split('\n')
    .slice(2)
    .flatMap(row => Array.from((row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g), match => match[1] ?? ''));
}

void t.test('docs/errors.md has a heading for every error code, and no other', async t => {
  const headings = Array.from(read('docs/errors.md').matchAll(/^## (\S+)$/gm), match => match[1]);
  t.same(headings.sort(), [...ERROR_CODES].sort());
});

void t.test('docs/events.md lists every event, and no other', async t => {
  t.same(firstCells(read('docs/events.md'), '| event |').sort(), [...EVENT_NAMES].sort());
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
    backend: 'b',
    attempts: 1,
    warm: false,
    reused: false,
    startedAtMs: 0,
    durationMs: 1,
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

void t.test('docs/cli.md lists every option of run, and no other', async t => {
  const { stdout } = await runProgram(process.execPath, [LB4, '--help']);
  const options = Array.from(stdout.matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm), match => match[1] ?? '');
  const documented = firstCells(read('docs/cli.md'), '| option |').map(
    cell => /--[a-z-]+/.exec(cell)?.[0] ?? cell,
  );
  t.same(documented.sort(), options.sort());
});
