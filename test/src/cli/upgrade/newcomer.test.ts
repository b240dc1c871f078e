/** The newcomer as the older process sees it: a child that a test makes up, over timers without a clock. */
import { EventEmitter } from 'node:events';
import t from 'tap';
import { Newcomer, NewcomerFailed, type Child } from '../../../../src/cli/upgrade/newcomer.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';

const READY = { kind: 'ready', version: '0.2.0', sockets: ['web'], admin: [] } as const;

class FakeChild extends EventEmitter {
  readonly pid = 7;
  connected = true;
  readonly channel = null;
  readonly sent: unknown[] = [];
  readonly signals: unknown[] = [];
  isLeft = false;

  send(message: unknown, sent: () => void): boolean {
    this.sent.push(message);
    sent();
    return true;
  }

  disconnect(): void {
    this.connected = false;
  }

  kill(signal: unknown): boolean {
    this.signals.push(signal);
    return true;
  }

  unref(): void {
    this.isLeft = true;
  }
}

function start() {
  const [child, timers] = [new FakeChild(), new FakeTimers()];
  // The part that is used.
  const newcomer = new Newcomer(child as unknown as Child, timers.setTimer, {
    readyMs: 60_000,
    graceMs: 2_000,
  });
  return { child, timers, newcomer };
}

const linesOf = (newcomer: Newcomer): Promise<readonly string[] | undefined> =>
  newcomer.ready.then(
    () => undefined,
    (error: unknown) => (error instanceof NewcomerFailed ? error.lines : undefined),
  );

void t.test('one that is ready is let go, and no timer is left', async t => {
  const { child, timers, newcomer } = start();
  t.same(timers.delays, [60_000]);
  child.emit('message', 'what is this');
  child.emit('message', { ...READY, further: 'a field of a later version' });
  t.same(await newcomer.ready, READY);
  t.equal(timers.pending, 0);
  newcomer.end('too late');
  newcomer.letGo();
  t.same([child.sent, child.signals], [[{ kind: 'letGo' }], []]);
  t.same([child.connected, child.isLeft], [false, true]);
});

void t.test('one that ends gives its own reasons, or how it ended', async t => {
  const said = start();
  said.child.emit('message', { kind: 'failed', lines: ['a: wrong', 'b: wrong'] });
  said.child.emit('exit', 78, null);
  t.same(await linesOf(said.newcomer), ['a: wrong', 'b: wrong']);
  const silent = start();
  silent.child.emit('exit', 1, null);
  const log = 'what it said itself is in the log';
  t.same(await linesOf(silent.newcomer), [`it ended with exit code 1 before it was ready; ${log}`]);
  const killed = start();
  killed.child.emit('exit', null, 'SIGSEGV');
  t.same(await linesOf(killed.newcomer), [`it ended with SIGSEGV before it was ready; ${log}`]);
  const refused = start();
  refused.child.emit('error', new Error('spawn ENOENT'));
  t.same(await linesOf(refused.newcomer), ['it cannot be started: spawn ENOENT']);
  for (const { timers } of [said, silent, killed, refused]) t.equal(timers.pending, 0);
});

void t.test('one that is not ready in time is ended, at last with SIGKILL', async t => {
  const { child, timers, newcomer } = start();
  timers.fireAll();
  t.same(child.signals, ['SIGTERM']);
  timers.fireAll();
  t.same(child.signals, ['SIGTERM', 'SIGKILL']);
  child.emit('exit', null, 'SIGKILL');
  t.same(await linesOf(newcomer), ['it was not ready within 60 s']);
});

void t.test('one that says that it failed and does not end is killed', async t => {
  const { child, timers, newcomer } = start();
  child.emit('message', { kind: 'failed', lines: ['no'] });
  timers.fireAll();
  t.same(child.signals, ['SIGKILL']);
  child.emit('exit', null, 'SIGKILL');
  t.same(await linesOf(newcomer), ['no']);
});

void t.test('one that is ready after it was told to end does not take over, and is not killed', async t => {
  const { child, timers, newcomer } = start();
  newcomer.end('lb4 ends');
  child.emit('message', READY);
  t.same(await linesOf(newcomer), ['lb4 ends']);
  t.equal(timers.pending, 0);
  t.same(child.signals, ['SIGTERM']);
  t.ok(child.connected, 'a closed channel would let it own the sockets');
  t.same([child.sent, child.isLeft], [[], true]);
});
