/**
 * What lb4 puts into the file system belongs to it only while nobody else has put something in its place: at its end it
 * removes its own and nothing else, and a start that fails leaves nothing behind.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startBackend } from '../harness/backend.ts';
import { LB4, startLb4 } from '../harness/lb4-process.ts';
import { ended, runProgram } from '../harness/programs.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { formatAddress } from '../../src/support/address.ts';

const BACKEND = ['-b', '127.0.0.1:81', '--health', 'off'];

interface Thing {
  readonly thing: string;
  /** Tells lb4 to make it at a path. */
  readonly args: (path: string) => readonly string[];
}

const THINGS: readonly Thing[] = [
  { thing: 'pid file', args: path => ['--workers', '0', '--pid-file', path] },
  { thing: 'unix socket', args: path => ['--workers', '0', '-l', `unix:${path}`] },
];

t.setTimeout(120_000);

/** A start that is to fail. */
const failing = (args: readonly string[]) =>
  runProgram(process.execPath, [LB4, ...BACKEND, ...args, '--log-format', 'text'], { timeoutMs: 20_000 });

for (const { thing, args } of THINGS) {
  void t.test(`its own ${thing} is gone when lb4 has ended, and nothing else is left`, async t => {
    const folder = temporaryFolder(t);
    const path = join(folder, 'it');
    const lb4 = await startLb4(t, [...BACKEND, ...args(path)]);
    t.ok(existsSync(path));
    t.equal(await lb4.stop(), 0);
    t.same(readdirSync(folder), []);
  });

  void t.test(`its own ${thing} is gone also when a defect has ended lb4`, async t => {
    const folder = temporaryFolder(t);
    const path = join(folder, 'it');
    // At a signal that lb4 does not use.
    const defect = join(temporaryFolder(t), 'defect.mjs');
    writeFileSync(defect, `process.on('SIGWINCH', () => { throw new Error('a defect'); });`);
    const env = { NODE_OPTIONS: `--import=${defect}` };
    const lb4 = await startLb4(t, [...BACKEND, ...args(path)], { env });
    t.ok(existsSync(path));
    lb4.child.kill('SIGWINCH');
    t.match(await ended(lb4.child), { code: 1 });
    t.same(readdirSync(folder), []);
  });

  void t.test(
    `a successor's ${thing} stays when its predecessor ends, also after a failed start`,
    async t => {
      const folder = temporaryFolder(t);
      const path = join(folder, 'it');
      const old = await startLb4(t, [...BACKEND, ...args(path)]);
      rmSync(path);
      const successor = await startLb4(t, [...BACKEND, ...args(path)]);
      const { ino } = lstatSync(path);
      t.equal(await old.stop(), 0);
      t.equal(lstatSync(path).ino, ino);
      const taken = formatAddress((await startBackend(t)).address);
      t.equal((await failing(['-l', taken, ...args(path)])).code, 69);
      t.equal(lstatSync(path).ino, ino);
      t.equal(await successor.stop(), 0);
      t.same(readdirSync(folder), []);
    },
  );

  void t.test(
    `a ${thing} that cannot be made ends the start with one line, and leaves all as it was`,
    async t => {
      const folder = temporaryFolder(t);
      const target = join(folder, 'target');
      writeFileSync(target, 'precious\n');
      symlinkSync(target, join(folder, 'link'));
      symlinkSync(join(folder, 'nothing'), join(folder, 'dangling'));
      mkdirSync(join(folder, 'folder'));
      const before = readdirSync(folder);
      for (const name of ['link', 'dangling', 'target', 'folder', 'missing/it', 'target/it']) {
        const { code, stderr } = await failing([...args(join(folder, name)), '-l', '127.0.0.1:0']);
        t.not(code, 0, name);
        t.match(stderr, new RegExp(`^\\S+ error .*${name}.*\n$`), 'it never accepted a client');
        t.same(readdirSync(folder), before);
        t.equal(readFileSync(target, 'utf8'), 'precious\n');
      }
    },
  );
}
