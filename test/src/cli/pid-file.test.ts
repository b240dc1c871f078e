import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PidFile } from '../../../src/cli/pid-file.ts';

/** Above the highest that Linux gives. */
const NOBODY = 4_194_305;

function pathFor(t: Test): { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'lb4-pid-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return { folder, path: join(folder, 'lb4.pid') };
}

void t.test('it holds the process id, can be read by all, and is removed', async t => {
  const { folder, path } = pathFor(t);
  const file = new PidFile(path, 4711);
  t.notOk(existsSync(path), 'nothing before it is written');
  t.equal(file.write(), undefined);
  t.equal(readFileSync(path, 'utf8'), '4711\n');
  t.equal(statSync(path).mode & 0o133, 0, 'nobody else can write it');
  file.remove();
  t.same(readdirSync(folder), []);
});

void t.test('a stale or empty one is replaced; of one whose process runs, the process is named', async t => {
  const { path } = pathFor(t);
  for (const [there, predecessor] of [
    ['', undefined],
    [`${NOBODY}\n`, undefined],
    [`${process.ppid}`, process.ppid],
    ['1', 1],
  ] as const) {
    writeFileSync(path, there);
    t.equal(new PidFile(path).write(), predecessor, there);
    t.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
  }
});

void t.test('one that another process has written since is left alone', async t => {
  const { folder, path } = pathFor(t);
  const file = new PidFile(path);
  file.write();
  const successor = new PidFile(path, NOBODY);
  t.equal(successor.write(), process.pid);
  file.remove();
  t.equal(readFileSync(path, 'utf8'), `${NOBODY}\n`);
  successor.remove();
  t.same(readdirSync(folder), []);
});

void t.test(
  'neither is one with the same number but another file, nor the same file with another number',
  async t => {
    const { path } = pathFor(t);
    const inContainers = new PidFile(path, 1);
    inContainers.write();
    writeFileSync(`${path}.new`, '1\n');
    renameSync(`${path}.new`, path);
    inContainers.remove();
    t.ok(existsSync(path));
    const file = new PidFile(path);
    file.write();
    writeFileSync(path, `${NOBODY}\n`);
    file.remove();
    t.ok(existsSync(path));
  },
);

void t.test('a file with something else in it is never replaced', async t => {
  const { path } = pathFor(t);
  for (const content of ['listeners: []\n', '12 34', '-1', '0', '1'.repeat(40)]) {
    writeFileSync(path, content);
    t.throws(() => new PidFile(path), /cannot write the pid file .*something else than a process id/);
    t.equal(readFileSync(path, 'utf8'), content);
  }
  rmSync(path);
  const file = new PidFile(path);
  writeFileSync(path, 'made meanwhile');
  t.throws(() => file.write(), /something else/);
  file.remove();
  t.ok(existsSync(path), 'what was not written is not removed');
});

void t.test('each reason is given in words', async t => {
  const { folder, path } = pathFor(t);
  writeFileSync(path, '1');
  for (const [bad, reason] of [
    [join(folder, 'no', 'it'), /its folder does not exist/],
    [join(path, 'it'), /its folder is not one/],
    [folder, /it is a directory/],
    ['/dev/null', /it is not a regular file/],
    [join(folder, 'x'.repeat(300)), /its name is too long/],
  ] as const) {
    t.throws(() => new PidFile(bad), reason);
  }
});

void t.test('what goes wrong while it is written leaves nothing behind', async t => {
  const { folder, path } = pathFor(t);
  // Room for the file itself, and none for the name under which it is written first.
  const long = join(folder, 'x'.repeat(250));
  const file = new PidFile(long);
  t.throws(() => file.write(), /cannot write the pid file/);
  file.remove();
  t.same(readdirSync(folder), []);
  t.notOk(existsSync(path));
});
