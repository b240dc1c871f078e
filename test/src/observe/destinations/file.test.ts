/** A log file that is renamed, truncated, deleted, or cannot be opened; real files, and a clock that the test moves. */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { LogFile } from '../../../../src/observe/destinations/file.ts';
import type { Written } from '../../../../src/observe/output.ts';
import { temporaryFolder } from '../../../harness/temporary-folder.ts';

function create(t: Test, path = newPath(t)) {
  const time = { nowMs: 0 };
  const file = new LogFile(path, () => time.nowMs);
  t.teardown(() => file.close());
  const write = (text: string): Promise<Written> =>
    new Promise(resolve => file.write(Buffer.from(text), resolve));
  const reopen = (): Promise<string | undefined> => new Promise(resolve => file.reopen(resolve));
  return { path, file, time, write, reopen };
}

function newPath(t: Test): string {
  return join(temporaryFolder(t), 'lb4.log');
}

const textOf = (path: string): string => readFileSync(path, 'utf8');
const openFiles = (path: string): number =>
  Number(spawnSync('sh', ['-c', `ls -l /proc/${process.pid}/fd | grep -c -- "${path}"`]).stdout);

void t.test('lines are appended, and the file is for its owner and group', async t => {
  const { path, write } = create(t);
  await write('one\n');
  t.equal(statSync(path).mode & 0o777, 0o640);
  const second = create(t, path);
  await second.write('two\n');
  t.equal(textOf(path), 'one\ntwo\n');
});

void t.test('a file that cannot be opened is the system’s error at once', async t => {
  t.throws(() => new LogFile('/lb4-is-not-here/x', () => 0), { code: 'ENOENT' });
});

void t.test(
  'after a rename lines go on to the renamed file until it is opened again, as logrotate wants',
  async t => {
    const { path, write, reopen } = create(t);
    await write('one\n');
    renameSync(path, `${path}.1`);
    await write('two\n');
    t.equal(await reopen(), undefined);
    await write('three\n');
    t.equal(textOf(`${path}.1`), 'one\ntwo\n');
    t.equal(textOf(path), 'three\n');
    t.equal(openFiles(path), 1, 'the old file is closed');
  },
);

void t.test('after copytruncate lines begin at the beginning of the file', async t => {
  const { path, write } = create(t);
  await write('one\n');
  truncateSync(path);
  await write('two\n');
  t.equal(textOf(path), 'two\n');
});

void t.test('a write in progress ends in the file in which it began', async t => {
  const { path, file, write, reopen } = create(t);
  await write('one\n');
  renameSync(path, `${path}.1`);
  const [, code] = await Promise.all([write('two\n'), reopen()]);
  t.equal(code, undefined);
  t.equal(textOf(`${path}.1`), 'one\ntwo\n');
  await write('three\n');
  t.equal(textOf(path), 'three\n');
  // The same once more, with two of them at a time.
  await Promise.all([reopen(), reopen(), write('four\n')]);
  await write('five\n');
  t.equal(textOf(path), 'three\nfour\nfive\n');
  file.close();
});

void t.test('a file that cannot be opened again leaves the one that was', async t => {
  const { path, write, reopen } = create(t);
  await write('one\n');
  renameSync(path, `${path}.1`);
  // A folder in its place: what root may open as well as anyone.
  mkdirSync(path);
  t.equal(await reopen(), 'EISDIR');
  await write('two\n');
  t.equal(textOf(`${path}.1`), 'one\ntwo\n');
});

void t.test(
  'a folder without permission is EACCES',
  { skip: process.getuid?.() === 0 && 'root may do all' },
  async t => {
    const { path, write, reopen } = create(t);
    renameSync(path, `${path}.1`);
    chmodSync(dirname(path), 0o500);
    t.equal(await reopen(), 'EACCES');
    chmodSync(dirname(path), 0o700);
    t.strictSame(await write('one\n'), { taken: 4 });
  },
);

void t.test('a file that was deleted is made again, and looked for once a second at most', async t => {
  const { path, time, write } = create(t);
  await write('one\n');
  rmSync(path);
  time.nowMs = 999;
  await write('gone with it\n');
  t.notOk(existsSync(path));
  time.nowMs = 1_000;
  t.strictSame(await write('two\n'), { taken: 4 });
  t.equal(textOf(path), 'two\n', 'a line that finds it deleted goes to the new one');
  t.equal(openFiles(path), 1);
});

void t.test('a file whose folder is gone takes nothing until the folder is back', async t => {
  const { path, time, write } = create(t);
  await write('one\n');
  rmSync(dirname(path), { recursive: true });
  time.nowMs = 1_000;
  for (let i = 0; i < 2; i++) t.strictSame(await write('two\n'), { taken: 0, code: 'ENOENT' });
  mkdirSync(dirname(path));
  t.strictSame(await write('two\n'), { taken: 4 });
  t.equal(textOf(path), 'two\n');
});

void t.test('a full device takes nothing', async t => {
  const { write } = create(t, '/dev/full');
  t.strictSame(await write('one\n'), { taken: 0, code: 'ENOSPC' });
});

void t.test('a named pipe waits for no reader, and takes what it has room for', async t => {
  const path = newPath(t);
  spawnSync('mkfifo', [path]);
  const { write } = create(t, path);
  t.strictSame(await write('one\n'), { taken: 0, code: 'ENXIO' });
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  t.strictSame(await write('one\n'), { taken: 4 });
  const { taken } = await write('x'.repeat(1_000_000));
  t.ok(taken > 0 && taken < 1_000_000);
  t.strictSame(await write('y'), { taken: 0, code: 'EAGAIN' });
  const bytes = Buffer.alloc(4);
  readSync(reader, bytes);
  t.equal(bytes.toString(), 'one\n');
  closeSync(reader);
  t.strictSame(await write('y'), { taken: 0, code: 'EPIPE' });
});

void t.test('at the exit of the process lines are written at once, and closing is closing once', async t => {
  const { path, file, write } = create(t);
  await write('one\n');
  file.writeNow(Buffer.from('two\n'));
  t.equal(textOf(path), 'one\ntwo\n');
  const late = write('three\n');
  file.close();
  t.strictSame(await late, { taken: 6 }, 'a write in progress ends');
  file.close();
  t.equal(openFiles(path), 0);
  file.writeNow(Buffer.from('four\n'));
  t.equal(textOf(path), 'one\ntwo\nthree\n');
});
