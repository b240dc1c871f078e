/** What standard error says where the log cannot: an exit that lb4 has not ordered, a log file that is not opened again. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LB4 } from '../harness/lb4-process.ts';
import { ended } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const EXIT = 'process.exit(0); export default () => { throw new Error("not reached"); };';

function start(t: Test, strategy: string, to: object) {
  const folder = temporaryFolder(t);
  const file = join(folder, 'lb4.json');
  mkdirSync(join(folder, 'logs'));
  writeFileSync(join(folder, 'mine.mjs'), EXIT);
  const write = (used: string): void => {
    const upstreams = [{ name: 'app', strategy: used, health: 'off', backends: ['127.0.0.1:9'] }];
    const listeners = [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }];
    writeFileSync(file, JSON.stringify({ workers: 1, listeners, upstreams, log: { to, format: 'json' } }));
  };
  write(strategy);
  const child = spawn(process.execPath, [LB4, '-c', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, LB4_ADMIN_SOCKET: 'off' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const logFile = join(folder, 'logs/lb4.log');
  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  return { child, folder, write, log, said: () => said };
}

const TO_FILE = { type: 'file', path: 'logs/lb4.log' };
const WORDS = /something in this process has called process\.exit\(0\), and ends lb4/;

void t.test('a strategy that ends the process at the start leaves its words, and a failure', async t => {
  const { child, said } = start(t, './mine.mjs', { type: 'stderr' });
  t.same(await ended(child), { code: 1, signal: null });
  t.equal(said().match(/"event":"exited"/g)?.length, 1);
  t.match(said(), WORDS);
});

void t.test(
  'a strategy that ends a running lb4 leaves its words in the log and on standard error',
  async t => {
    const { child, write, log, said } = start(t, 'leastconn', TO_FILE);
    await until('it has started', () => log().includes('"event":"started"'));
    write('./mine.mjs');
    child.kill('SIGHUP');
    t.same(await ended(child), { code: 1, signal: null });
    t.match(log(), /"event":"exited".*"code":0/);
    t.match(log(), WORDS);
    t.match(said(), WORDS);
  },
);

void t.test('an end in order has no such words', async t => {
  const { child, log, said } = start(t, 'leastconn', TO_FILE);
  await until('it has started', () => log().includes('"event":"started"'));
  child.kill('SIGTERM');
  t.same(await ended(child), { code: 0, signal: null });
  t.notMatch(log(), 'exited');
  t.equal(said(), '');
});

void t.test('a log file that cannot be opened again is reported on standard error as well', async t => {
  const { child, folder, log, said } = start(t, 'leastconn', TO_FILE);
  await until('it has started', () => log().includes('"event":"started"'));
  renameSync(join(folder, 'logs'), join(folder, 'renamed'));
  child.kill('SIGUSR1');
  await until('it says so', () => said().includes('logReopenFailed'));
  t.match(said(), /cannot be opened again \(ENOENT\)/);
  const renamed = (): string => readFileSync(join(folder, 'renamed/lb4.log'), 'utf8');
  await until('the file says so, too', () => renamed().includes('"event":"logReopenFailed"'));
});
