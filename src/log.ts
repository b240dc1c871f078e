/**
 * The log of lb4 for users of the library: `import { logTo } from 'lb4-balancer/log'`.
 *
 * Place: a public entrance beside index.ts, of its own so that a program without a log loads no logger. It subscribes
 * to a balancer as the command line does (cli/run-logs.ts), over the real clock, descriptors and sockets.
 * Invariants:
 * - Writing a line neither waits nor fails.
 * - A log keeps no process alive, except while it ends.
 */
import { performance } from 'node:perf_hooks';
import { isatty } from 'node:tty';
import { ConfigError } from './config/report/config-error.ts';
import type { LogInput } from './config/schema/log-schema.ts';
import { parseLog } from './config/source/parse.ts';
import { createSystemSinks } from './linux/log-sinks.ts';
import type { LoadBalancer } from './load-balancer.ts';
import { followSessions } from './observe/access-log.ts';
import type { ChannelFigures } from './observe/channel.ts';
import { createEntryLog, type LogEntry } from './observe/entry-log.ts';
import type { EventSource } from './observe/event-source.ts';
import type { EventMap, EventName } from './model/events.ts';
import { logEvents } from './observe/log-events.ts';
import type { Log } from './observe/log.ts';
import { openLogs, type LogConfig } from './observe/logs.ts';
import { setKeepingTimer, setUnrefTimer, type SetTimer } from './support/timer.ts';

export type { LogInput } from './config/schema/log-schema.ts';
export type { ChannelFigures as DestinationFigures } from './observe/channel.ts';
export type { LogEntry } from './observe/entry-log.ts';
export type { LogFields, LogFormat, LogLevel } from './observe/log.ts';

/** The section `log` of the configuration with a function as its destination. */
export interface LogToFunction {
  /** Called once for each entry. */
  readonly to: (entry: LogEntry) => void;
  readonly level?: LogInput['level'];
  /** Without `to`: its entries go to the same function. */
  readonly access?: LogInput['access'];
}

export interface LogToOptions {
  /** Where the relative path of a file starts from; the working directory unless given. */
  readonly baseDir?: string;
}

export interface BalancerLog {
  /** How each destination is doing; none for a function. */
  destinations(): readonly ChannelFigures[];
  /** Opens files again, after they were renamed. */
  reopen(): void;
  /**
   * Ends it: nothing that happens from now on is logged. Resolves with true once every line is written, with false when
   * some cannot be, within a second.
   */
  end(): Promise<boolean>;
}

/**
 * Logs what happens to a balancer, from now on.
 * @param log as the section `log` of the configuration, or with a function in `to`
 * @throws Lb4Error `LB4_CONFIG_INVALID` naming every problem, and for a destination that cannot be opened
 */
export function logTo(
  balancer: Pick<LoadBalancer, 'on'>,
  log: LogInput | LogToFunction = {},
  options: LogToOptions = {},
): BalancerLog {
  return isFunction(log) ? logToFunction(balancer, log) : logToDestinations(balancer, parsed(log), options);
}

const now = (): number => performance.now();
const random = (): number => Math.random();

function isFunction(log: LogInput | LogToFunction): log is LogToFunction {
  // What is no mapping is found wrong by the schema.
  return typeof (log as Partial<LogToFunction> | null)?.to === 'function';
}

function parsed(input: unknown): LogConfig {
  const result = parseLog(input);
  if (result.ok) return result.log;
  throw new ConfigError(result.issues);
}

function logToDestinations(
  balancer: Pick<LoadBalancer, 'on'>,
  config: LogConfig,
  { baseDir = process.cwd() }: LogToOptions,
): BalancerLog {
  let isEnding = false;
  const setTimer: SetTimer = (callback, delayMs) =>
    (isEnding ? setKeepingTimer : setUnrefTimer)(callback, delayMs);
  const logs = openLogs(config, {
    ...{ now, random, setTimer, baseDir, env: process.env, pid: process.pid },
    isTerminal: () => isatty(2),
    prefixOf: () => '',
    ...createSystemSinks(),
  });
  const events = new Subscriptions(balancer);
  const tellHeldBack = logEvents(events, logs.log, { now, setTimer: setUnrefTimer });
  logs.follow(balancer);
  let ended: Promise<boolean> | undefined;
  return {
    destinations: () => {
      const { log, access } = logs.figures();
      return access === undefined ? [log] : [log, access];
    },
    reopen: () => logs.reopen(),
    end() {
      isEnding = true;
      if (ended === undefined) tellHeldBack();
      events.end();
      return (ended ??= logs.end());
    },
  };
}

function logToFunction(balancer: Pick<LoadBalancer, 'on'>, { to, ...rest }: LogToFunction): BalancerLog {
  const { level, access } = parsed(rest);
  if (access !== false && access.to !== undefined) throw new ConfigError([noDestination()]);
  let isEnded = false;
  const take = (entry: LogEntry): void => {
    // A timer of a subscriber may be late.
    if (!isEnded) to(entry);
  };
  const events = new Subscriptions(balancer);
  const log = createEntryLog({ level, format: 'json', take });
  const tellHeldBack = logEvents(events, log, { now, setTimer: setUnrefTimer });
  const accessLog = (): Log => {
    const isText = access !== false && access.format === 'text';
    return createEntryLog({ level: 'info', format: isText ? 'text' : 'json', take });
  };
  followSessions(events, access, { log, access: accessLog }, random);
  return {
    destinations: () => [],
    reopen: () => undefined,
    end() {
      if (!isEnded) tellHeldBack();
      isEnded = true;
      events.end();
      return Promise.resolve(true);
    },
  };
}

/** A source of events whose subscribers leave together. */
class Subscriptions implements EventSource {
  readonly #source: EventSource;
  readonly #leave: (() => void)[] = [];

  constructor(source: EventSource) {
    this.#source = source;
  }

  on<N extends EventName>(name: N, listener: (event: EventMap[N]) => void): () => void {
    const leave = this.#source.on(name, listener);
    this.#leave.push(leave);
    return leave;
  }

  end(): void {
    for (const leave of this.#leave.splice(0)) leave();
  }
}

function noDestination() {
  const expected = 'no destination, because to is a function, which gets these entries, too';
  const path = ['log', 'access', 'to'];
  return { path, kind: 'value', expected, got: 'one', message: `expected ${expected}` } as const;
}
