/**
 * When one upstream's counts are exchanged: once per period, earlier where that helps, later while Redis fails. Also
 * whether the upstream is shared or local.
 *
 * Place: `mirror.ts` holds one per upstream and wakes it several times per period.
 * Invariants:
 * - One exchange is under way at a time.
 * - An answer that comes after `stop` changes nothing.
 * - A failure only delays the next attempt. What was received before is used until it is too old.
 */
import type { MirrorMode, MirrorTrouble } from '../../model/words.ts';
import type { MirrorFailure } from '../../model/words.ts';
import { wordsOf } from '../../errors.ts';
import type { Change, Exchange, NameTaken, Publication, Totals } from './exchange.ts';
import { ExchangeError } from './exchange.ts';
import { UpstreamMirror, type MirroredUpstream, type UpstreamMirrorSettings } from './upstream-mirror.ts';

/** Regular exchanges come up to this part of a period earlier, at random, so that instances do not march in step. */
const JITTER = 0.1;
/** Failed exchanges are tried again after one period, two, four, ..., but at most this long after. */
const LONGEST_BACKOFF_MS = 5_000;
/** The first answer after an outage finds no earlier publication; this many such answers in a row are a fault. */
const OFTEN_LOST = 3;

export interface UpstreamExchangesDeps {
  readonly exchange: Exchange;
  /** The name of this instance, as it is now. */
  instance(): string;
  now(): number;
  random(): number;
  /** Called when the mode has changed, or in mode `local` the reason. */
  onMode(): void;
  /** Called when another process holds the name; `times`: in how many exchanges in a row. */
  onNameTaken(name: string, times: number): void;
}

export class UpstreamExchanges {
  readonly #mirror: UpstreamMirror;
  readonly #periodMs: number;
  readonly #deps: UpstreamExchangesDeps;
  #mode: MirrorMode = 'local';
  #trouble: MirrorTrouble | undefined;
  /** This and the two below count exchanges in a row. */
  #failures = 0;
  #timesNameTaken = 0;
  #timesLost = 0;
  #dueMs: number;
  #isUnderWay = false;
  #isStopped = false;

  constructor(upstream: MirroredUpstream, settings: UpstreamMirrorSettings, deps: UpstreamExchangesDeps) {
    const now = deps.now();
    this.#mirror = new UpstreamMirror(upstream, settings, now);
    this.#periodMs = settings.periodMs;
    this.#deps = deps;
    this.#dueMs = now;
  }

  get name(): string {
    return this.#mirror.upstream.name;
  }

  get mode(): MirrorMode {
    return this.#mode;
  }

  /** Whether small changes are reported at once. */
  get isTelling(): boolean {
    return this.#mirror.isTelling;
  }

  /** How the last exchange failed; undefined when it did not, or there was none. */
  get trouble(): MirrorTrouble | undefined {
    return this.#trouble;
  }

  heard(): ReturnType<UpstreamMirror['heard']> {
    return this.#mirror.heard(this.#deps.now());
  }

  /** Exchanges if it is time to. */
  wake(): void {
    const now = this.#deps.now();
    const isWanted = this.#mirror.look(now);
    if (this.#mode === 'shared' && this.#mirror.heard(now) === undefined) this.#setMode('local');
    if (this.#isUnderWay || this.#isStopped) return;
    if (now >= this.#dueMs) {
      void this.#exchange();
    } else if (isWanted && this.#failures === 0) {
      this.#mirror.noteExtra();
      void this.#exchange();
    }
  }

  /** Makes the next exchange due now: the connection is back, or the name has changed. */
  hurry(): void {
    this.#dueMs = this.#deps.now();
  }

  apply(change: Change): void {
    this.#mirror.apply(change, this.#deps.instance());
  }

  /** No exchange is made any more, and the counts of other instances are 0 from now on. */
  stop(): void {
    this.#isStopped = true;
    this.#mirror.forget();
  }

  /** Takes out the counts published under a name. Failures do not matter: the lease ends without it. */
  async withdraw(instance: string): Promise<void> {
    try {
      await this.#deps.exchange.withdraw(this.#mirror.withdrawal(instance));
    } catch (error) {
      // Any other error is a defect of lb4.
      if (!(error instanceof ExchangeError)) throw error;
    }
  }

  async #exchange(): Promise<void> {
    this.#isUnderWay = true;
    const publication = this.#mirror.publication(this.#deps.instance());
    const answer = await this.#send(publication);
    this.#isUnderWay = false;
    if (this.#isStopped) return;
    const now = this.#deps.now();
    this.#timesNameTaken = 'kind' in answer && answer.kind === 'nameTaken' ? this.#timesNameTaken + 1 : 0;
    if (answer instanceof ExchangeError) {
      this.#fail(answer.reason, answer.message);
    } else if (answer.kind === 'nameTaken') {
      this.#fail('nameTaken', `another process is called ${publication.instance}`);
      this.#deps.onNameTaken(publication.instance, this.#timesNameTaken);
      if (this.#deps.instance() !== publication.instance) this.hurry();
    } else {
      this.#failures = 0;
      this.#dueMs = now + this.#inAPeriod();
      this.#accept(publication, answer, now);
    }
  }

  #accept(publication: Publication, answer: Totals, now: number): void {
    if (this.#mirror.accept(publication, answer, now)) {
      this.#timesLost = 0;
      this.#trouble = undefined;
      this.#setMode('shared');
      return;
    }
    this.#timesLost += 1;
    if (this.#timesLost >= OFTEN_LOST) {
      this.#note('lost', 'what was published is gone at the next exchange: evicted, or expired too early');
    }
  }

  async #send(publication: Publication): Promise<Totals | NameTaken | ExchangeError> {
    try {
      return await this.#deps.exchange.exchange(publication);
    } catch (error) {
      if (error instanceof ExchangeError) return error;
      return new ExchangeError('error', wordsOf(error), {
        cause: error,
      });
    }
  }

  #fail(reason: MirrorFailure, message: string): void {
    const backoffMs = Math.min(this.#periodMs * 2 ** this.#failures, LONGEST_BACKOFF_MS);
    this.#dueMs = this.#deps.now() + Math.max(backoffMs, this.#inAPeriod());
    this.#failures += 1;
    this.#note(reason, message);
  }

  #note(reason: MirrorFailure, message: string): void {
    this.#mirror.upstream.failed(reason);
    const isNew = this.#trouble?.message !== message;
    this.#trouble = { reason, message };
    // The mode has not changed, but the reason why nothing is shared has.
    if (isNew && this.#mode === 'local') this.#deps.onMode();
  }

  #inAPeriod(): number {
    return this.#periodMs * (1 - JITTER * this.#deps.random());
  }

  #setMode(mode: MirrorMode): void {
    if (this.#mode === mode) return;
    this.#mode = mode;
    this.#deps.onMode();
  }
}
