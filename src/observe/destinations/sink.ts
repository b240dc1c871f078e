/**
 * A destination of the configuration, opened: its output, and the form that lines have there.
 *
 * Place: made by logs.ts for the log, and for an access log that goes elsewhere.
 */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Socket } from 'node:net';
import type { LogDestination } from '../../config/schema/log-schema.ts';
import { ConfigError } from '../../config/report/config-error.ts';
import type { Path } from '../../config/report/issue.ts';
import { systemCode, wordsOf } from '../../errors.ts';
import { parseLogAddress } from '../../support/log-address.ts';
import type { SetTimer } from '../../support/timer.ts';
import { mayColour, type LogFormat, type LogLevel, type LogStyle } from '../log-style.ts';
import { openOutput, type Output } from '../output.ts';
import { LogFile } from './file.ts';
import { JOURNAL_SOCKET, journalEntry, journalLine } from './journal.ts';
import { MessageOutput, type MessageSender } from './messages.ts';
import { fileHeader, syslogLine, type SyslogNames } from './syslog.ts';
import { TcpOutput } from './tcp.ts';
import { UdpOutput } from './udp.ts';

export interface SinkDeps {
  now(): number;
  /** Keeps the process alive while it runs. */
  readonly setTimer: SetTimer;
  /** Relative paths start here. */
  readonly baseDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly pid: number;
  /** Whether standard error is a terminal. */
  isTerminal(): boolean;
  /** What stands before a line on standard error where that is the journal. */
  prefixOf(level: LogLevel): string;
  /** Datagrams to a unix socket; throws an error with the reason where the system has none. */
  openMessages(path: string): MessageSender;
  /** See `TcpOutputDeps`. */
  unacknowledged(socket: Socket): number | undefined;
}

export interface Sink {
  /** The destination in words. */
  readonly name: string;
  readonly output: Output;
  /** Where the configuration does not say. */
  readonly defaultFormat: LogFormat;
  styleOf(format: LogFormat): LogStyle;
  /** The form of lines that are HAProxy's. */
  readonly tcplogStyle: LogStyle;
  /** For files: opens the path again. */
  reopen?(done: (code: string | undefined) => void): void;
}

/** Throws a `ConfigError` for a destination that cannot be opened; `at` is its place. */
export function openSink(to: LogDestination, at: Path, deps: SinkDeps): Sink {
  const names: SyslogNames = {
    facility: to.facility ?? 'daemon',
    app: to.app ?? 'lb4',
    host: hostname(),
    pid: deps.pid,
  };
  switch (to.type) {
    case 'stderr':
      return stderrSink(names, deps);
    case 'file':
      return fileSink(resolve(deps.baseDir, to.path ?? ''), at, names, deps);
    case 'syslog':
      return syslogSink(to.address ?? 'unix:/dev/log', at, names, deps);
    case 'journald':
      return journalSink(at, names, deps);
  }
}

function stderrSink(names: SyslogNames, deps: SinkDeps): Sink {
  const frame = (level: LogLevel, _event: string, line: string): string => `${deps.prefixOf(level)}${line}`;
  const isColoured = mayColour(deps.isTerminal(), deps.env);
  return {
    name: 'standard error',
    output: openOutput(2),
    defaultFormat: deps.isTerminal() ? 'text' : 'json',
    styleOf: format => ({ format, isColoured, frame }),
    tcplogStyle: {
      ...{ format: 'text', isBare: true },
      frame: (level, _event, line) => `${deps.prefixOf(level)}${fileHeader(names)}${line}`,
    },
  };
}

function fileSink(path: string, at: Path, names: SyslogNames, deps: SinkDeps): Sink {
  const output = opened(
    () => new LogFile(path, () => deps.now()),
    [...at, 'path'],
    'a file that can be written',
    path,
  );
  return {
    name: `file ${path}`,
    output,
    defaultFormat: 'json',
    styleOf: format => ({ format }),
    tcplogStyle: {
      ...{ format: 'text', isBare: true },
      frame: (_level, _event, line) => `${fileHeader(names)}${line}`,
    },
    reopen: done => output.reopen(done),
  };
}

function syslogSink(text: string, at: Path, names: SyslogNames, deps: SinkDeps): Sink {
  const frame = (level: LogLevel, event: string, line: string): string =>
    syslogLine(names, level, event, line);
  return {
    name: `syslog ${text}`,
    output: syslogOutput(text, at, deps),
    defaultFormat: 'json',
    styleOf: format => ({ format, isBare: true, frame }),
    tcplogStyle: { format: 'text', isBare: true, frame },
  };
}

function syslogOutput(text: string, at: Path, deps: SinkDeps): Output {
  const address = parseLogAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  if (address.transport !== 'unix') {
    const { host, port } = address;
    return address.transport === 'udp'
      ? new UdpOutput(host, port, deps.setTimer)
      : new TcpOutput(host, port, deps);
  }
  const open = (): MessageSender => deps.openMessages(address.path);
  return new MessageOutput(opened(open, [...at, 'type'], 'a syslog that can be reached', text), line => line);
}

function journalSink(at: Path, names: SyslogNames, deps: SinkDeps): Sink {
  const open = (): MessageSender => deps.openMessages(JOURNAL_SOCKET);
  const sender = opened(open, [...at, 'type'], 'a journal that can be reached', JOURNAL_SOCKET);
  return {
    name: 'journald',
    output: new MessageOutput(sender, line => journalEntry(names, line)),
    defaultFormat: 'text',
    styleOf: format => ({ format, isBare: true, frame: journalLine }),
    tcplogStyle: { format: 'text', isBare: true, frame: journalLine },
  };
}

function opened<T>(open: () => T, path: Path, expected: string, what: string): T {
  try {
    return open();
  } catch (error) {
    const isOfSystem = error instanceof Error && 'code' in error;
    const got = `${what} (${isOfSystem ? systemCode(error) : wordsOf(error)})`;
    const message = `expected ${expected}, got ${got}`;
    throw new ConfigError([{ path, kind: 'value', expected, got, message }]);
  }
}
