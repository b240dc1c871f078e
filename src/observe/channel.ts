/**
 * One destination with the lines on their way to it.
 *
 * Place: logs.ts has one for the log, and one for an access log that goes elsewhere.
 * Invariant: a destination that takes nothing is reported once, and once more when it takes lines again.
 */
import { isDeepStrictEqual } from 'node:util';
import type { LogDestination } from '../config/schema/log-schema.ts';
import type { Path } from '../config/report/issue.ts';
import { openSink, type Sink, type SinkDeps } from './destinations/sink.ts';
import { LineBuffer } from './line-buffer.ts';
import type { Lines } from './log.ts';
import { lossLine, type LogFormat, type LogStyle } from './log-style.ts';

/** How a destination is doing. */
export interface ChannelFigures {
  readonly destination: string;
  /** Lines that it has not got, so far. */
  readonly lost: number;
  /** It takes nothing now: the system's name for the reason. */
  readonly brokenAs: string | undefined;
}

export interface ChannelOwner {
  onSparing(channel: Channel, isSparing: boolean): void;
  onBroken(channel: Channel, code: string): void;
  onMended(channel: Channel): void;
}

export class Channel {
  readonly to: LogDestination;
  readonly sink: Sink;
  readonly lines: LineBuffer;
  /** The form of the line that reports a loss. */
  style: LogStyle;
  #brokenAs: string | undefined;

  /** Throws a `ConfigError` where the destination, which stands at `at`, cannot be opened. */
  constructor(to: LogDestination, at: Path, deps: SinkDeps, owner: ChannelOwner) {
    this.to = to;
    this.sink = openSink(to, at, deps);
    this.style = this.sink.styleOf(this.sink.defaultFormat);
    this.lines = new LineBuffer(this.sink.output, {
      now: () => deps.now(),
      setTimer: deps.setTimer,
      lossLine: loss => lossLine(this.style, loss),
      onSparing: isSparing => owner.onSparing(this, isSparing),
      onBroken: code => {
        const isNew = this.#brokenAs === undefined;
        this.#brokenAs = code;
        if (isNew) owner.onBroken(this, code);
      },
      onMended: () => {
        this.#brokenAs = undefined;
        owner.onMended(this);
      },
    });
  }

  get figures(): ChannelFigures {
    return { destination: this.sink.name, lost: this.lines.lostEver, brokenAs: this.#brokenAs };
  }

  goesTo(to: LogDestination): boolean {
    return isDeepStrictEqual({ ...this.to }, { ...to });
  }

  format(configured: LogFormat | undefined): LogFormat {
    return configured ?? this.sink.defaultFormat;
  }

  /**
   * Gives it up when what it holds is written, or cannot be, or after this long. False: not all of it was written.
   * `lines.untold` then has what no line at the destination reports.
   */
  async end(withinMs: number): Promise<boolean> {
    const isWritten = await this.lines.end(withinMs);
    this.lines.close();
    return isWritten;
  }
}

/** Lines of a log whose destination may become another one. */
export function linesOf(channel: () => Channel): Lines {
  return {
    write: (line, isSpared) => channel().lines.write(line, isSpared),
    isLosing: isSpared => channel().lines.isLosing(isSpared),
    lose: (isSpared, lines, code) => channel().lines.lose(isSpared, lines, code),
  };
}
