/**
 * The log and the access log of one configuration, with their destinations: opened, configured again, ended.
 *
 * Place: `lb4 run` has one, and so has each `logTo`. Both logs go through one buffer where they have one destination, so
 * that their lines keep their order.
 * Invariants:
 * - A destination that cannot be opened changes nothing.
 * - What a destination lost, and that it takes nothing, is reported once: by itself, by the log, or, of the log's own
 *   destination, on standard error.
 */
import type { Config } from '../config/schema/schema.ts';
import type { LogView } from '../model/log-view.ts';
import { atExit } from '../support/at-exit.ts';
import { accessOptions, followSessions, isWhole } from './access-log.ts';
import { Channel, linesOf, type ChannelFigures, type ChannelOwner } from './channel.ts';
import type { SinkDeps } from './destinations/sink.ts';
import type { EventSource } from './event-source.ts';
import { lossMessage } from './log-style.ts';
import { createLog, type Log, type LogSettings } from './log.ts';

export type LogConfig = Config['log'];

export interface LogsDeps extends SinkDeps {
  random(): number;
}

export interface LogsFigures {
  readonly log: ChannelFigures;
  /** Absent where the access log goes where the log goes. */
  readonly access?: ChannelFigures;
}

/** Of an access log that goes where the log goes, they are the log's. */
export interface LinesLost {
  readonly log: number;
  readonly access: number;
}

export interface Logs {
  readonly log: Log;
  /** For lines that an operator asks for: written whatever the level of the log is. */
  readonly askedFor: Log;
  /** Logs sessions, as far as the configuration wants it. */
  follow(sessions: EventSource): void;
  /** Opens the destinations of another configuration; throws a `ConfigError` where one cannot be opened. */
  prepare(config: LogConfig): void;
  /** Takes over another configuration. What was prepared for it is used, and given up for any other one. */
  configure(config: LogConfig): void;
  /** Called when the access log begins to lose its lines, so that they need only be counted, and when that ends. */
  onSparing(callback: (isSparing: boolean) => void): void;
  /** Opens files again. */
  reopen(): void;
  figures(): LogsFigures;
  /** Lines that have not arrived since the start, over all changes of destinations. */
  lost(): LinesLost;
  /** For people who ask how the logs are doing. */
  views(): readonly LogView[];
  /** Writes what is left. False: a write in progress may keep the process alive. */
  end(): Promise<boolean>;
  /** Ends the process, whatever its writes do. */
  endProcess(exitCode: number): void;
}

interface Channels {
  readonly main: Channel;
  /** The same one where the access log has no destination of its own. */
  readonly access: Channel;
}

/** How long the last lines of a destination may take. */
const LAST_LINES_MS = 1_000;
/** The least time that each gets, also when others have taken all of the other. */
const LEAST_MS = 100;

const SILENT: ChannelOwner = {
  onSparing: () => undefined,
  onBroken: () => undefined,
  onMended: () => undefined,
};

/** Throws a `ConfigError` where a destination cannot be opened. */
export function openLogs(first: LogConfig, deps: LogsDeps): Logs {
  let config = first;
  let sessions: EventSource | undefined;
  let endSessions: () => void = () => undefined;
  let onSparing: (isSparing: boolean) => void = () => undefined;
  let prepared: { readonly config: LogConfig; readonly channels: Channels } | undefined;
  const owner: ChannelOwner = {
    onSparing: (channel, isSparing) => {
      // A session that the access log leaves out is no line that is lost.
      const isAll = config.access === false || isWhole(accessOptions(config.access));
      if (channel === current.access && isAll) onSparing(isSparing);
    },
    onBroken: (channel, code) => reportBroken(channel, code),
    onMended: channel => {
      const { name } = channel.sink;
      const [message, fields] = [`${name} takes lines again`, { destination: name }];
      if (channel.to.type === 'stderr') return;
      log.write('info', 'logMended', message, fields);
      // Standard error has the news that it took none.
      if (channel === current.main) lastResort().log.write('info', 'logMended', message, fields);
    },
  };
  const open = (next: LogConfig, inUse: readonly Channel[]): Channels => {
    const main = channelTo(next.to, ['log', 'to'], inUse);
    const to = next.access === false ? undefined : next.access.to;
    if (to === undefined || main.goesTo(to)) return { main, access: main };
    try {
      return { main, access: channelTo(to, ['log', 'access', 'to'], inUse) };
    } catch (error) {
      if (!inUse.includes(main)) main.lines.close();
      throw error;
    }
  };
  const channelTo = (to: LogConfig['to'], at: readonly string[], inUse: readonly Channel[]): Channel =>
    inUse.find(channel => channel.goesTo(to)) ?? new Channel(to, at, deps, owner);
  let current = open(first, []);
  const allOf = ({ main, access }: Channels): Channel[] => (main === access ? [main] : [main, access]);
  const stopFlushing = atExit(() => {
    for (const { lines } of allOf(current)) lines.flushNow();
  });

  const mainSettings = (): LogSettings => {
    const { main } = current;
    return { ...main.sink.styleOf(main.format(config.format)), level: config.level };
  };
  const accessSettings = (): LogSettings => {
    const { access } = current;
    const format = (config.access === false ? undefined : config.access.format) ?? config.format;
    const style = format === 'tcplog' ? access.sink.tcplogStyle : access.sink.styleOf(access.format(format));
    return { ...style, level: 'info' };
  };
  const log = createLog({ ...mainSettings(), lines: linesOf(() => current.main) });
  const askedFor = createLog({ ...mainSettings(), level: 'info', lines: linesOf(() => current.main) });
  const accessLog = createLog({
    ...accessSettings(),
    lines: linesOf(() => current.access),
    isSpared: true,
  });
  const reportBroken = (channel: Channel, code: string): void => {
    const { name } = channel.sink;
    const message = `${name} takes no lines (${code}); they are kept as far as there is room, and counted beyond that`;
    logFor(channel)?.write('warn', 'logBroken', message, { destination: name, code });
  };
  /** What a destination cannot report any more, because it has been given up. */
  const reportLost = (channel: Channel): void => {
    const { name } = channel.sink;
    const loss = channel.lines.untold;
    if (loss === undefined) return;
    const fields = { destination: name, ...loss, forMs: Math.round(loss.forMs) };
    logFor(channel)?.write('warn', 'linesLost', `${name}: ${lossMessage(loss)}`, fields);
  };
  /** The log that can report something of a destination; undefined: none can. */
  const logFor = (channel: Channel): Log | undefined => {
    if (channel !== current.main) return log;
    return channel.to.type === 'stderr' ? undefined : lastResort().log;
  };
  let spare: { readonly channel: Channel; readonly log: Log } | undefined;
  const lastResort = (): NonNullable<typeof spare> => {
    if (spare !== undefined) return spare;
    const channel = new Channel({ type: 'stderr' }, [], deps, SILENT);
    const { defaultFormat } = channel.sink;
    const style = channel.sink.styleOf(defaultFormat);
    return (spare = { channel, log: createLog({ ...style, level: 'info', lines: linesOf(() => channel) }) });
  };
  const applyStyles = (): void => {
    log.configure(mainSettings());
    askedFor.configure({ ...mainSettings(), level: 'info' });
    accessLog.configure(accessSettings());
    current.access.style = accessSettings();
    current.main.style = mainSettings();
  };
  const follow = (): void => {
    endSessions();
    const logs = { log, access: () => accessLog };
    if (sessions !== undefined)
      endSessions = followSessions(sessions, config.access, logs, () => deps.random());
  };
  /** Channels that are being given up, each with the log that it was of. */
  const givenUp = new Map<Channel, { readonly of: keyof LinesLost; readonly ending: Promise<boolean> }>();
  const lostBefore = { log: 0, access: 0 };
  const lostOf = (which: keyof LinesLost): number => {
    const { main, access } = current;
    const now = which === 'log' ? main.figures.lost : access === main ? 0 : access.figures.lost;
    const leftOver = Array.from(givenUp, ([channel, { of }]) => (of === which ? channel.figures.lost : 0));
    return leftOver.reduce((sum, each) => sum + each, lostBefore[which] + now);
  };
  const lost = (): LinesLost => ({ log: lostOf('log'), access: lostOf('access') });
  const end = async (channel: Channel, withinMs: number): Promise<boolean> => {
    const isWritten = await channel.end(withinMs);
    reportLost(channel);
    return isWritten;
  };
  const giveUp = (channels: Channels, kept: readonly Channel[], how: 'end' | 'close'): void => {
    for (const channel of allOf(channels)) {
      if (kept.includes(channel)) continue;
      if (how === 'close') channel.lines.close();
      else {
        const of = channel === channels.main ? 'log' : 'access';
        const ending = end(channel, LAST_LINES_MS).finally(() => {
          givenUp.delete(channel);
          lostBefore[of] += channel.figures.lost;
        });
        givenUp.set(channel, { of, ending });
      }
    }
  };
  const restMs = (untilMs: number): number => Math.max(LEAST_MS, untilMs - deps.now());
  applyStyles();
  return {
    log,
    askedFor,
    follow(source) {
      sessions = source;
      follow();
    },
    prepare(next) {
      const channels = open(next, allOf(current));
      if (prepared !== undefined) giveUp(prepared.channels, allOf(current), 'close');
      prepared = { config: next, channels };
    },
    configure(next) {
      const ready = prepared?.config === next ? prepared.channels : undefined;
      if (ready === undefined && prepared !== undefined) giveUp(prepared.channels, allOf(current), 'close');
      prepared = undefined;
      const [before, earlier] = [current, lost()];
      if (ready !== undefined) current = ready;
      config = next;
      applyStyles();
      giveUp(before, allOf(current), 'end');
      // A channel may go on as that of the other log: what it has lost stays with the one that it was of.
      const later = lost();
      lostBefore.log += earlier.log - later.log;
      lostBefore.access += earlier.access - later.access;
      follow();
    },
    onSparing: callback => (onSparing = callback),
    reopen() {
      for (const { sink } of allOf(current)) {
        sink.reopen?.(code => {
          if (code === undefined) return;
          const message = `${sink.name} cannot be opened again (${code}); lines go on to the file that was open`;
          const fields = { destination: sink.name, code };
          log.write('warn', 'logReopenFailed', message, fields);
          // The log may be the renamed file, which no program follows any more.
          if (current.main.to.type !== 'stderr')
            lastResort().log.write('warn', 'logReopenFailed', message, fields);
        });
      }
    },
    figures() {
      const { main, access } = current;
      return { log: main.figures, ...(main === access ? {} : { access: access.figures }) };
    },
    lost,
    views() {
      const { main, access } = current;
      const viewOf = (log: LogView['log'], channel: Channel): LogView => {
        const { destination, brokenAs } = channel.figures;
        return { log, destination, linesLost: lostOf(log), ...(brokenAs === undefined ? {} : { brokenAs }) };
      };
      return [viewOf('log', main), ...(main === access ? [] : [viewOf('access', access)])];
    },
    async end() {
      endSessions();
      const untilMs = deps.now() + LAST_LINES_MS;
      const outcomes = await Promise.all(Array.from(givenUp.values(), ({ ending }) => ending));
      const { main, access } = current;
      // Each has its losses reported by the next one.
      for (const channel of new Set([access, main])) outcomes.push(await end(channel, restMs(untilMs)));
      if (spare !== undefined) outcomes.push(await spare.channel.end(restMs(untilMs)));
      stopFlushing();
      return outcomes.every(Boolean);
    },
    endProcess: exitCode => {
      for (const { lines } of allOf(current)) lines.endProcess(exitCode);
    },
  };
}
