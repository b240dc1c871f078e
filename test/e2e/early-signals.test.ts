/**
 * Signals that come while lb4 still loads its own files. The moment is made certain by a module hook: it sends the signal
 * when the program is asked for that reads the command line, long before anything is configured, and loading goes on from
 * there.
 */
import { spawn } from 'node:child_process';
import t, { type Test } from 'tap';
import { LB4 } from '../harness/lb4-process.ts';
import { ended } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { until } from '../harness/until.ts';

/** What Node has to load first, so that lb4 gets the signal while it loads. */
function signalWhileLoading(signal: string): string {
  const hooks = `
    let isSent = false;
    export async function resolve(specifier, context, next) {
      if (/\\/program\\b/.test(specifier) && !isSent) {
        isSent = true;
        process.kill(process.pid, '${signal}');
      }
      return next(specifier, context);
    }`;
  return asModule(`import { register } from 'node:module'; register('${asModule(hooks)}');`);
}

function asModule(source: string): string {
  return `data:text/javascript;base64,${Buffer.from(source).toString('base64')}`;
}

function start(t: Test, signal: string, args: readonly string[], command: readonly string[] = []) {
  const [program, ...before] = command.length === 0 ? [process.execPath] : [...command, process.execPath];
  const child = spawn(program, [...before, '--import', signalWhileLoading(signal), LB4, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const said = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (said.text += text));
  }
  return { child, said };
}

const RUN = ['-b', '127.0.0.1:81', '-l', '127.0.0.1:0', '--health', 'off', '--workers', '0'];

for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT']) {
  void t.test(`${signal} while lb4 loads ends it with exit 0, and the log says so`, async t => {
    const { child, said } = start(t, signal, RUN);
    t.same(await ended(child), { code: 0, signal: null }, said.text);
    t.match(said.text, /"event":"stopping"/);
    t.notMatch(said.text, /"event":"started"/);
  });
}

for (const [signal, event] of [
  ['SIGHUP', 'reloadRefused'],
  ['SIGUSR1', 'snapshot'],
  ['SIGUSR2', 'upgradeRefused'],
] as const) {
  void t.test(`${signal} while lb4 loads does what it does later, and lb4 starts`, async t => {
    const { child, said } = start(t, signal, RUN);
    await until('it has started', () => said.text.includes('"event":"started"'));
    t.match(said.text, new RegExp(`"event":"${event}"`));
    t.notMatch(said.text, /Debugger/);
    child.kill('SIGTERM');
    t.same(await ended(child), { code: 0, signal: null });
  });
}

void t.test(
  'as process 1 of a container lb4 does not lose a SIGTERM that comes while it loads',
  { skip: (process.platform !== 'linux' || process.getuid?.() !== 0) && 'needs root on Linux' },
  async t => {
    const { child, said } = start(t, 'SIGTERM', RUN, ['unshare', '--pid', '--fork', '--kill-child']);
    t.same(await ended(child), { code: 0, signal: null }, said.text);
  },
);

void t.test('the demo ends at SIGHUP, and check as any program does', async t => {
  const demo = start(t, 'SIGHUP', ['demo', '-l', '127.0.0.1:0']);
  t.same(await ended(demo.child), { code: 0, signal: null }, demo.said.text);
  const check = start(t, 'SIGTERM', ['check', '-c', '/dev/null']);
  t.same(await ended(check.child), { code: null, signal: 'SIGTERM' }, check.said.text);
});
