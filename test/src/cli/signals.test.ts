import { EventEmitter } from 'node:events';
import t from 'tap';
import { Signals } from '../../../src/cli/signals.ts';

/** A process that notes what is done to it. */
class FakeProcess extends EventEmitter {
  readonly pid = 4711;
  readonly execArgv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly done: string[] = [];
  debugger: string | undefined;

  constructor(execArgv: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    super();
    this.execArgv = execArgv;
    this.env = env;
  }

  kill(pid: number, signal: string): void {
    this.done.push(`kill ${pid} ${signal}`);
  }

  exit(): void {
    this.done.push('exit');
  }

  getBuiltinModule() {
    return {
      url: () => this.debugger,
      close: () => {
        this.debugger = undefined;
        this.done.push('debugger closed');
      },
    };
  }

  receives(...signals: string[]): void {
    for (const signal of signals) this.emit(signal);
  }

  /** Whether a signal would have its default action. */
  isDefault(signal: string): boolean {
    return this.listenerCount(signal) === 0;
  }
}

const ALL = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'];

function create(owned = new FakeProcess()) {
  const signals = new Signals(owned);
  const seen: string[] = [];
  const handle = (): void =>
    signals.handle({
      drain: () => seen.push('drain'),
      stop: () => seen.push('stop'),
      hangUp: () => seen.push('hangUp'),
      report: () => seen.push('report'),
      upgrade: () => seen.push('upgrade'),
    });
  return { owned, signals, seen, handle };
}

void t.test('each signal has its meaning; the second of SIGTERM and SIGINT stops', async t => {
  const { owned, seen, handle } = create();
  handle();
  owned.receives('SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTERM', 'SIGUSR1', 'SIGINT', 'SIGTERM');
  t.same(seen, ['hangUp', 'report', 'upgrade', 'drain', 'report', 'stop', 'stop']);
  const other = create();
  other.handle();
  other.owned.receives('SIGQUIT', 'SIGTERM');
  t.same(other.seen, ['stop', 'stop']);
});

void t.test('what came before anybody could handle it is delivered, in its order', async t => {
  const { owned, seen, handle } = create();
  owned.receives('SIGHUP', 'SIGTERM', 'SIGUSR1', 'SIGTERM');
  handle();
  t.same(seen, ['hangUp', 'drain', 'report', 'stop']);
});

void t.test('no owned signal has its default action, before, while and after lb4 runs', async t => {
  const { owned, signals, handle } = create();
  const defaults = (): string[] => ALL.filter(signal => owned.isDefault(signal));
  t.same(defaults(), []);
  handle();
  t.same(defaults(), []);
  signals.over();
  t.same(defaults(), []);
});

void t.test('when everything is over, what would end lb4 does so at once', async t => {
  const { owned, signals, seen, handle } = create();
  handle();
  signals.over();
  owned.receives('SIGHUP', 'SIGUSR1', 'SIGUSR2');
  t.same(owned.done, []);
  owned.receives('SIGTERM');
  t.same([owned.done, seen], [['exit'], []]);
});

void t.test('while it may block, what ends a program ends lb4; SIGHUP and SIGUSR2 do not', async t => {
  const { owned, signals, seen, handle } = create();
  const defaults = signals.whileBlocking(() => ALL.filter(signal => owned.isDefault(signal)));
  t.same(defaults, ['SIGTERM', 'SIGINT', 'SIGQUIT']);
  t.throws(() =>
    signals.whileBlocking(() => {
      throw new Error('unreadable');
    }),
  );
  handle();
  owned.receives('SIGTERM', 'SIGINT', 'SIGQUIT');
  t.same(seen, ['drain', 'stop', 'stop'], 'afterwards they are lb4’s again');
});

void t.test(
  'a command that ends like any program gives the signals back, also one that came before',
  async t => {
    const { owned, signals } = create();
    owned.receives('SIGUSR1', 'SIGINT');
    signals.release();
    t.same(owned.done, ['kill 4711 SIGINT']);
    t.same(
      ALL.filter(signal => owned.isDefault(signal)),
      ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'],
    );
    owned.receives('SIGUSR1', 'SIGUSR2');
    t.same(owned.done, ['kill 4711 SIGINT'], 'the others stay without effect');
  },
);

void t.test(
  'a debugger that SIGUSR1 opened before the first instruction is closed, and the signal counts',
  async t => {
    const owned = new FakeProcess();
    owned.debugger = 'ws://127.0.0.1:9229/x';
    const { signals, seen, handle } = create(owned);
    t.same([owned.debugger, owned.done], [undefined, ['debugger closed']]);
    owned.debugger = 'ws://127.0.0.1:9229/y';
    signals.closeDebugger();
    t.equal(owned.debugger, undefined, 'also one that opened a moment later');
    handle();
    t.same(seen, ['report', 'report']);
  },
);

void t.test('a debugger that was asked for stays', async t => {
  for (const owned of [
    new FakeProcess(['--inspect=127.0.0.1:0']),
    new FakeProcess([], { NODE_OPTIONS: '--inspect-brk' }),
  ]) {
    owned.debugger = 'ws://127.0.0.1:9229/x';
    create(owned);
    t.equal(owned.debugger, 'ws://127.0.0.1:9229/x');
  }
});
