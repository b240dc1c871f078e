import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { journalPrefix } from '../../../../src/cli/systemd/journal.ts';
import { temporaryFolder } from '../../../harness/temporary-folder.ts';

const folder = temporaryFolder(t);
const [one, other] = ['one', 'other'].map(name => openSync(join(folder, name), 'w')) as [number, number];
t.teardown(() => {
  closeSync(one);
  closeSync(other);
});
const { dev, ino } = fstatSync(one, { bigint: true });
const JOURNAL_STREAM = `${dev}:${ino}`;

void t.test('lines have their level where standard error is the journal', t => {
  const prefix = journalPrefix({ JOURNAL_STREAM }, one);
  t.same((['error', 'warn', 'info', 'debug'] as const).map(prefix), ['<3>', '<4>', '<6>', '<7>']);
  t.end();
});

void t.test('and none where it is another file, or was redirected, or is closed', t => {
  t.equal(journalPrefix({}, one)('error'), '');
  t.equal(journalPrefix({ JOURNAL_STREAM }, other)('error'), '');
  t.equal(journalPrefix({ JOURNAL_STREAM: 'x' }, one)('error'), '');
  t.equal(journalPrefix({ JOURNAL_STREAM }, 9_999)('error'), '');
  t.end();
});
