/**
 * Lines on their way to an output that may be slow, stopped or broken: kept up to a bound, then lost and counted.
 *
 * Place: between the log and its output. Writing a line neither waits nor fails.
 * Order: once a line was lost, all that follow are lost, too, until everything kept is written; a moment later one line
 * at that point says how many are missing. Lines that can be spared (the access log) are lost first: the last quarter
 * of the room is for the others.
 * Invariants:
 * - What is kept is bounded.
 * - Lines come out whole and in their order, whatever part of them a write takes.
 * - One write is in progress at a time.
 * - An output that takes nothing is tried again, for ever.
 */
import type { SetTimer } from '../support/timer.ts';
import { KeptLines } from './kept-lines.ts';
import type { Output, Written } from './output.ts';

/** What is missing, once that can be reported. */
export interface Loss {
  readonly lines: number;
  /** From the first lost line until now. */
  readonly forMs: number;
  /**
   * Why: the system's name for the output's error. EAGAIN: its reader did not keep up; EBUSY: lb4 did not; ENOBUFS: more
   * lines came at once than there is room for, before the output could be given them.
   */
  readonly code: string;
}

export interface LineBufferDeps {
  now(): number;
  /** Keeps the process alive while it runs. */
  readonly setTimer: SetTimer;
  /** The line that reports a loss, with its line end. */
  lossLine(loss: Loss): string;
  /** True: from now on lines that can be spared are lost, so that they need only be counted. False: no longer. */
  onSparing?(isSparing: boolean): void;
  /**
   * The output takes nothing, and not because its reader is slow: the system's name for the reason. May be called
   * again.
   */
  onBroken?(code: string): void;
  /** After `onBroken`: the output takes lines again. */
  onMended?(): void;
}

const MAX_BYTES = 1024 * 1024;
/**
 * While the output has not refused anything: thousands of backends that change within one turn have a line each, and
 * none of these lines can be written before the turn ends.
 */
const MAX_BURST_BYTES = 4 * MAX_BYTES;
const MAX_SPARED_BYTES = (MAX_BYTES * 3) / 4;
const CHUNK_BYTES = 64 * 1024;
/** How long until a reader that does not keep up is tried again, doubled each time. */
const READER_FIRST_MS = 1;
const READER_MAX_MS = 100;
/** The same for an output that is broken, such as a full disk. */
const BROKEN_MS = 1_000;
const EAGAIN = 'EAGAIN';
const ENOBUFS = 'ENOBUFS';
/** How long after its end a loss is reported: what is counted elsewhere is still on its way. */
const SETTLE_MS = 200;

export class LineBuffer {
  readonly #output: Output;
  readonly #deps: LineBufferDeps;
  readonly #kept = new KeptLines();
  #state: 'idle' | 'scheduled' | 'writing' | 'resting' | 'closed' = 'idle';
  #isPumping = false;
  #cancelRest: () => void = () => undefined;
  #readerMs = READER_FIRST_MS;
  #lost = 0;
  #lostEver = 0;
  #isBroken = false;
  #losesAll = false;
  #losesSpared = false;
  #cancelSettling: (() => void) | undefined;
  #lostSinceMs = 0;
  /** The line that reports a loss is kept: the lines that it reports, and the bytes until its end. */
  #telling: { readonly lines: number; untilBytes: number } | undefined;
  #code: string | undefined;
  /** Set while the buffer ends. */
  #ended: ((isWritten: boolean) => void) | undefined;

  constructor(output: Output, deps: LineBufferDeps) {
    this.#output = output;
    this.#deps = deps;
  }

  /** Lines that have been lost so far. */
  get lostEver(): number {
    return this.#lostEver;
  }

  /** A line with its end; `isSpared`: it is lost before others are. */
  write(line: string, isSpared = false): void {
    const bytes = Buffer.byteLength(line);
    if (
      this.#state === 'closed' ||
      this.isLosing(isSpared) ||
      this.#kept.bytes + bytes > this.#room(isSpared)
    ) {
      this.lose(isSpared);
      return;
    }
    this.#kept.add(line, bytes);
    this.#schedule();
  }

  /** Whether a line would be lost, so that it need not be built; `lose` counts it. */
  isLosing(isSpared = false): boolean {
    return this.#losesAll || (isSpared && this.#losesSpared);
  }

  /** Counts lines that were not built. */
  lose(isSpared = false, lines = 1, code?: string): void {
    if (lines === 0) return;
    this.#count(lines, code ?? this.#whyFull());
    if (!isSpared) this.#losesAll = true;
    if (this.#losesSpared) return;
    this.#losesSpared = true;
    this.#deps.onSparing?.(true);
  }

  /** Lost lines that no line reports yet. */
  get untold(): Loss | undefined {
    const lines = this.#lost + (this.#telling?.lines ?? 0);
    return lines === 0 ? undefined : { ...this.#loss(), lines };
  }

  /** Writes no more: what is kept is lost. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#cancelRest();
    this.#cancelSettling?.();
    const why = this.#code ?? this.#whyFull();
    this.#state = 'closed';
    // The line that reports a loss is none of the lines that were to be written.
    const kept = this.#kept.count() - (this.#telling === undefined ? 0 : 1);
    if (kept > 0) this.#count(kept, why);
    this.#output.close?.();
  }

  /** For a process that is about to end: writes what the system takes at once. */
  flushNow(): void {
    if (this.#lost > 0) this.#appendLoss();
    const bytes = this.#kept.takeAll({ withoutChunk: this.#state === 'writing' });
    if (bytes.length > 0) this.#output.writeNow(bytes);
  }

  /**
   * Resolves once everything is written (true), or cannot be (false): after this long, or when the output proves to be
   * broken. No write is tried after that.
   */
  end(withinMs: number): Promise<boolean> {
    return new Promise(resolve => {
      const cancel = this.#deps.setTimer(() => this.#finish(false), withinMs);
      this.#ended = isWritten => {
        cancel();
        resolve(isWritten);
      };
      if (this.#state === 'resting') this.#wake();
      else this.#schedule();
    });
  }

  /** Ends the process, even if a write in progress would keep it alive. */
  endProcess(exitCode: number): void {
    this.#output.endProcess(exitCode);
  }

  #room(isSpared: boolean): number {
    if (isSpared) return MAX_SPARED_BYTES;
    return this.#state === 'resting' ? MAX_BYTES : MAX_BURST_BYTES;
  }

  /** What a line is lost for that finds no room, as long as the output has reported nothing else. */
  #whyFull(): string {
    if (this.#state === 'resting') return EAGAIN;
    return this.#state === 'writing' && !this.#output.isFile ? EAGAIN : ENOBUFS;
  }

  #count(lines: number, code: string): void {
    if (this.#lost === 0) {
      this.#lostSinceMs = this.#deps.now();
      // Reported when everything that is kept is written, possibly now.
      this.#schedule();
    }
    this.#lost += lines;
    this.#lostEver += lines;
    this.#code ??= code;
  }

  #schedule(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'scheduled';
    // Lines of one turn go out together.
    queueMicrotask(() => {
      if (this.#state !== 'scheduled') return;
      this.#state = 'idle';
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#state === 'idle' && this.#fill()) {
      this.#state = 'writing';
      // It may answer within the call, or later.
      this.#output.write(this.#kept.chunk ?? Buffer.alloc(0), written => this.#take(written));
    }
    this.#isPumping = false;
    if (this.#state === 'idle') this.#finish(true);
  }

  /** False when there is nothing to write now. */
  #fill(): boolean {
    if (this.#kept.chunk !== undefined) return true;
    if (!this.#kept.areWaiting && !this.#tellLoss()) return false;
    this.#kept.fillChunk(CHUNK_BYTES);
    return true;
  }

  /** False: nothing is lost, or the loss is not over yet. */
  #tellLoss(): boolean {
    if (this.#lost === 0) return false;
    if (this.#ended !== undefined) {
      this.#appendLoss();
      return true;
    }
    if (this.#cancelSettling !== undefined) return false;
    this.#deps.onSparing?.(false);
    this.#cancelSettling = this.#deps.setTimer(() => {
      this.#appendLoss();
      this.#schedule();
    }, SETTLE_MS);
    return false;
  }

  #appendLoss(): void {
    const loss = this.#loss();
    this.#lost = 0;
    this.#losesAll = false;
    this.#losesSpared = false;
    this.#cancelSettling?.();
    this.#cancelSettling = undefined;
    this.#code = undefined;
    this.#kept.add(this.#deps.lossLine(loss));
    this.#telling = { lines: loss.lines, untilBytes: this.#kept.bytes };
  }

  #loss(): Loss {
    const forMs = this.#deps.now() - this.#lostSinceMs;
    return { lines: this.#lost, forMs, code: this.#code ?? EAGAIN };
  }

  #take({ taken, code, lost = 0 }: Written): void {
    if (this.#state === 'closed') return;
    this.#state = 'idle';
    // Not as a line that found no room: those that follow are not lost with it.
    if (lost > 0) this.#count(lost, code ?? EAGAIN);
    this.#kept.taken(taken);
    if (this.#telling !== undefined) {
      this.#telling.untilBytes -= taken;
      if (this.#telling.untilBytes <= 0) this.#telling = undefined;
    }
    if (taken > 0) {
      this.#readerMs = READER_FIRST_MS;
      if (this.#isBroken && code === undefined) {
        this.#isBroken = false;
        this.#deps.onMended?.();
      }
      // The fault is over, and no line is missing because of it.
      if (this.#lost === 0) this.#code = undefined;
    }
    if (code !== undefined) this.#rest(code);
    else if (!this.#isPumping) this.#pump();
  }

  #rest(code: string): void {
    this.#state = 'resting';
    const isBroken = code !== EAGAIN;
    const restMs = isBroken ? BROKEN_MS : this.#readerMs;
    this.#readerMs = Math.min(this.#readerMs * 2, READER_MAX_MS);
    this.#cancelRest = this.#deps.setTimer(() => this.#wake(), restMs);
    if (!isBroken) return;
    this.#code = code;
    this.#isBroken = true;
    this.#deps.onBroken?.(code);
    this.#finish(false);
  }

  #wake(): void {
    this.#cancelRest();
    this.#state = 'idle';
    this.#pump();
  }

  /** For `end`. */
  #finish(isWritten: boolean): void {
    const ended = this.#ended;
    if (ended === undefined) return;
    this.#ended = undefined;
    if (!isWritten) this.#cancelRest();
    ended(isWritten);
  }
}
