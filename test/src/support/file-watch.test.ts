/** Ways in which a file gets another content, over a real file system: each is noticed once, and nothing else is. */
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { FileWatch } from '../../../src/support/file-watch.ts';
import { setKeepingTimer } from '../../../src/support/timer.ts';
import { until } from '../../harness/until.ts';

const DEPS = { wallClock: () => Date.now(), setTimer: setKeepingTimer };

/** Watches; `changes` counts. */
async function watching(t: Test, file: string) {
  const watch = await FileWatch.of(file, DEPS);
  t.teardown(() => watch.close());
  const seen = { changes: 0 };
  watch.start(() => seen.changes++);
  const noticed = (count: number): Promise<void> =>
    until(`${count} changes are noticed`, () => seen.changes === count, 10_000);
  return { seen, noticed };
}

void t.test('a file that is written in place, renamed over, or comes back after it had vanished', async t => {
  const folder = t.testdir({ 'lb4.yaml': 'a' });
  const file = join(folder, 'lb4.yaml');
  const { noticed } = await watching(t, file);
  writeFileSync(file, 'b');
  await noticed(1);
  writeFileSync(join(folder, 'new'), 'c');
  renameSync(join(folder, 'new'), file);
  await noticed(2);
  // As some editors do.
  renameSync(file, join(folder, 'lb4.yaml~'));
  writeFileSync(file, 'd');
  await noticed(3);
  rmSync(file);
  await noticed(4);
  writeFileSync(file, 'd');
  await noticed(5);
});

void t.test('a change between the first look and the start is noticed', async t => {
  const file = join(t.testdir({ 'lb4.yaml': 'a' }), 'lb4.yaml');
  const watch = await FileWatch.of(file, DEPS);
  t.teardown(() => watch.close());
  writeFileSync(file, 'b');
  await new Promise<void>(resolve => watch.start(resolve));
});

void t.test("Kubernetes' swaps of ..data, one after the other", async t => {
  const folder = t.testdir({});
  const publish = (version: number, text: string): void => {
    mkdirSync(join(folder, `..${version}`));
    writeFileSync(join(folder, `..${version}`, 'lb4.yaml'), text);
    symlinkSync(`..${version}`, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
    rmSync(join(folder, `..${version - 1}`), { force: true, recursive: true });
  };
  publish(1, 'a');
  symlinkSync('..data/lb4.yaml', join(folder, 'lb4.yaml'));
  const { noticed, seen } = await watching(t, join(folder, 'lb4.yaml'));
  publish(2, 'b');
  await noticed(1);
  // The same content in another file.
  publish(3, 'b');
  publish(4, 'c');
  await noticed(2);
  t.equal(seen.changes, 2);
});

void t.test('a link to a file elsewhere, and a folder that another one replaces', async t => {
  const folder = t.testdir({ etc: {}, one: { 'real.yaml': 'a' }, two: { 'real.yaml': 'c' } });
  symlinkSync('../one/real.yaml', join(folder, 'etc', 'lb4.yaml'));
  const { noticed } = await watching(t, join(folder, 'etc', 'lb4.yaml'));
  writeFileSync(join(folder, 'one', 'real.yaml'), 'b');
  await noticed(1);
  // No watch sees this one.
  renameSync(join(folder, 'one'), join(folder, 'old'));
  renameSync(join(folder, 'two'), join(folder, 'one'));
  await noticed(2);
  writeFileSync(join(folder, 'one', 'real.yaml'), 'd');
  await noticed(3);
});

void t.test('what leaves the content as it was is no change, nor is another file', async t => {
  const folder = t.testdir({ 'lb4.yaml': 'a', 'other.yaml': 'a' });
  const file = join(folder, 'lb4.yaml');
  const { noticed, seen } = await watching(t, file);
  utimesSync(file, 1, 1);
  writeFileSync(file, 'a');
  writeFileSync(join(folder, 'other.yaml'), 'b');
  writeFileSync(join(folder, 'new'), 'a');
  renameSync(join(folder, 'new'), file);
  await new Promise(resolve => setTimeout(resolve, 600));
  t.equal(seen.changes, 0);
  writeFileSync(file, 'b');
  await noticed(1);
});

void t.test('a file that is written in pieces is one change', async t => {
  const file = join(t.testdir({ 'lb4.yaml': 'a' }), 'lb4.yaml');
  const { noticed, seen } = await watching(t, file);
  for (let i = 0; i < 12; i++) {
    writeFileSync(file, 'b'.repeat(i + 1));
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  await noticed(1);
  await new Promise(resolve => setTimeout(resolve, 400));
  t.equal(seen.changes, 1);
});
