/**
 * The process's signals, owned from lb4's first instruction to its end, whatever else is loaded or in progress.
 *
 * Place: made by `bin/lb4.ts` before anything else is imported, so this file imports nothing; passed to a command,
 * which defines what the signals mean. Earlier signals are delivered then.
 * Invariants:
 * - None of these signals has its default action while it is owned: SIGHUP and SIGUSR2 never end lb4, and SIGUSR1 never
 *   opens Node's debugger.
 * - Listeners are never removed before the process ends, because that would restore the default; only a command that
 *   wants the defaults (`release`) removes them.
 */

/** What a command does at each signal. */
export interface SignalHandlers {
  /** SIGTERM, SIGINT. */
  drain(): void;
  /** The second one of these, and SIGQUIT. */
  stop(): void;
  /** SIGHUP. */
  hangUp(): void;
  /** SIGUSR1. */
  report(): void;
  /** SIGUSR2. */
  upgrade(): void;
}

const ENDING = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'] as const;
const OWNED = [...ENDING, 'SIGUSR1', 'SIGUSR2'] as const;
type OwnedSignal = (typeof OWNED)[number];

/** The part of Node's `process` that is used. */
export interface SignalledProcess {
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  removeAllListeners(signal: NodeJS.Signals): unknown;
  kill(pid: number, signal: NodeJS.Signals): unknown;
  exit(): unknown;
  readonly pid: number;
  readonly execArgv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  getBuiltinModule(name: 'node:inspector'): { url(): string | undefined; close(): void };
}

export class Signals {
  readonly #process: SignalledProcess;
  readonly #early: OwnedSignal[] = [];
  #deliver: (signal: OwnedSignal) => void = signal => this.#early.push(signal);
  /** A debugger that was requested by an option is left open. */
  readonly #mayDebug: boolean;

  constructor(owned: SignalledProcess = process) {
    this.#process = owned;
    this.#mayDebug = [...owned.execArgv, owned.env['NODE_OPTIONS'] ?? ''].some(text =>
      text.includes('--inspect'),
    );
    for (const signal of OWNED) this.#own(signal);
    this.closeDebugger();
  }

  /**
   * Closes the debugger that a SIGUSR1 opened before the first instruction: until then the signal is Node's. To be
   * called once more when everything is loaded, because Node opens it from another thread.
   */
  closeDebugger(): void {
    if (this.#mayDebug) return;
    const inspector = this.#process.getBuiltinModule('node:inspector');
    if (inspector.url() === undefined) return;
    inspector.close();
    this.#deliver('SIGUSR1');
  }

  /** From now on these handlers are called; signals that came before are delivered now. */
  handle(handlers: SignalHandlers): void {
    let isEnding = false;
    this.#deliver = signal => {
      switch (signal) {
        case 'SIGTERM':
        case 'SIGINT':
          if (isEnding) handlers.stop();
          else handlers.drain();
          isEnding = true;
          return;
        case 'SIGQUIT':
          isEnding = true;
          handlers.stop();
          return;
        case 'SIGHUP':
          handlers.hangUp();
          return;
        case 'SIGUSR1':
          handlers.report();
          return;
        case 'SIGUSR2':
          handlers.upgrade();
          return;
      }
    };
    for (const signal of this.#early.splice(0)) this.#deliver(signal);
  }

  /**
   * Runs code that may block the thread, such as reading a pipe without a writer, under the default actions: nothing
   * else can end the process then.
   */
  whileBlocking<T>(read: () => T): T {
    const blocking = ENDING.filter(signal => signal !== 'SIGHUP');
    for (const signal of blocking) this.#process.removeAllListeners(signal);
    try {
      return read();
    } finally {
      for (const signal of blocking) this.#own(signal);
    }
  }

  /**
   * Everything is over and the exit code is set: a signal that would end lb4 ends it at once, the others are ignored.
   */
  over(): void {
    this.#deliver = signal => {
      if (signal === 'SIGTERM' || signal === 'SIGINT' || signal === 'SIGQUIT') this.#process.exit();
    };
  }

  /**
   * For commands that a signal may end like any program, also while they block: restores the defaults of the signals
   * that end a process. Such a signal that came before ends it now.
   */
  release(): void {
    for (const signal of ENDING) this.#process.removeAllListeners(signal);
    const due = this.#early.find(signal => ENDING.some(ending => ending === signal));
    this.#early.length = 0;
    this.#deliver = () => undefined;
    if (due !== undefined) this.#process.kill(this.#process.pid, due);
  }
  #own(signal: OwnedSignal): void {
    this.#process.on(signal, () => this.#deliver(signal));
  }
}
