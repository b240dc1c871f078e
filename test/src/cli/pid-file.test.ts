import { fork, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PidFile, PidFileHeld } from '../../../src/cli/pid-file.ts';
import { loadLibc } from '../../../src/linux/libc.ts';
import { temporaryFolder } from '../../harness/temporary-folder.ts';

const loaded = loadLibc();
const withoutLocks = loaded.ok ? false : loaded.reason;
const LOCKS = { libc: loaded.ok ? loaded.libc : undefined };
const HELD = { message: /: it is the file of process \d+( \(.*\))?, which runs$/ };
/** A process of the same program as this one: it does nothing. */
const LIKE_THIS = process.argv[1] ?? '';
if (process.env['LB4_TEST_SLEEP'] !== undefined) await new Promise(resolve => setTimeout(resolve, 60_000));

/** Above the highest that Linux gives. */
const NOBODY = 4_194_305;

function pathFor(t: Test): { folder: string; path: string } {
  const folder = temporaryFolder(t);
  return { folder, path: join(folder, 'lb4.pid') };
}

function catched(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

void t.test('it holds the process id, can be read by all, and is removed', async t => {
  const { folder, path } = pathFor(t);
  const file = new PidFile(path, { pid: 4711 });
  t.notOk(existsSync(path), 'nothing before it is written');
  t.equal(file.write(), undefined);
  t.equal(readFileSync(path, 'utf8'), '4711\n');
  t.equal(statSync(path).mode & 0o133, 0, 'nobody else can write it');
  file.remove();
  t.same(readdirSync(folder), []);
});

void t.test(
  'a stale or empty one is replaced, and so is one whose number another program has now',
  async t => {
    const { path } = pathFor(t);
    const other = spawn('sleep', ['60']);
    t.teardown(() => other.kill());
    for (const options of [{}, LOCKS]) {
      for (const there of ['', `${NOBODY}\n`, `${other.pid ?? 0}`, `${process.pid}`]) {
        writeFileSync(path, there);
        const file = new PidFile(path, options);
        t.equal(file.write(), undefined, there);
        t.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
        file.letGo();
      }
    }
  },
);

void t.test(
  'the file of an instance that runs is refused, and it is named',
  { skip: withoutLocks },
  async t => {
    const { folder, path } = pathFor(t);
    const first = new PidFile(path, LOCKS);
    const early = new PidFile(path, { ...LOCKS, pid: NOBODY });
    first.write();
    const held = {
      message: new RegExp(`^cannot write the pid file .*: it is the file of process ${process.pid} \\(node `),
    };
    t.throws(() => new PidFile(path, { ...LOCKS, pid: NOBODY }), held);
    t.throws(() => early.write(), held, 'also when both have started at the same moment');
    t.ok(catched(() => early.write()) instanceof PidFileHeld);
    t.same(readdirSync(folder), ['lb4.pid']);
    t.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);

    const successor = new PidFile(path, { ...LOCKS, pid: NOBODY, replaces: pid => pid === process.pid });
    t.equal(successor.write(), process.pid, 'one that replaces it takes the file over');
    t.throws(() => new PidFile(path, LOCKS), HELD, 'and has it from then on');
    first.letGo();
    first.remove();
    t.equal(readFileSync(path, 'utf8'), `${NOBODY}\n`);
    successor.letGo();
    const third = new PidFile(path, LOCKS);
    third.write();
    t.throws(
      () => new PidFile(path, { ...LOCKS, pid: NOBODY, replaces: pid => pid === NOBODY }),
      HELD,
      'of another one',
    );
  },
);

void t.test(
  'one that drains lets go of the file, and is named to the one that takes it over',
  { skip: withoutLocks },
  async t => {
    const { path } = pathFor(t);
    const first = new PidFile(path, LOCKS);
    first.write();
    first.letGo();
    const second = new PidFile(path, { ...LOCKS, pid: NOBODY });
    t.equal(second.write(), process.pid);
    second.letGo();
    const third = new PidFile(path, LOCKS);
    t.equal(third.write(), undefined, 'of a process that has ended there is no need to speak');
  },
);

void t.test('without locks a running process of the same program has the file', async t => {
  const { path } = pathFor(t);
  const child = fork(LIKE_THIS, {
    execArgv: [],
    stdio: 'ignore',
    env: { ...process.env, LB4_TEST_SLEEP: '1' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  new PidFile(path, { pid: child.pid ?? 0 }).write();
  t.throws(() => new PidFile(path), HELD);
  new PidFile(path, { replaces: pid => pid === child.pid }).write();
  t.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
});

void t.test('one that another process has written since is left alone', async t => {
  const { folder, path } = pathFor(t);
  const file = new PidFile(path);
  file.write();
  const successor = new PidFile(path, { pid: NOBODY, replaces: pid => pid === process.pid });
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
    const inContainers = new PidFile(path, { pid: 1 });
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
