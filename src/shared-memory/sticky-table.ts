/**
 * Which backend a client had before: one bounded table per sticky upstream, the same for all threads that balance.
 *
 * Place: used through `dispatch/stickiness.ts`. Maps a client's IP address to the tag of a backend's slot
 * (slot-table.ts).
 * Form: one Int32Array: a header, the heads of the chains (a power of two, not less than `max`), and `max` entries of
 * 9 words, chained by hash and doubly linked by use. A link is the place of an entry's first word, which is never 0,
 * so that zeros are an empty table. An entry costs 40 to 44 bytes, chains included: 100,000 of them 4.1 MB, which the
 * system hands out as they fill.
 * Invariants:
 * - Never more than `max` entries; the client that came longest ago is dropped first.
 * - A client that has not come for the time to live is unknown.
 * - All steps take constant time, under a lock for which no thread waits longer than 50 ms. Without the lock the client
 *   counts as unknown.
 * - When a thread dies in the middle of a step, the table is emptied (`forget`).
 */
import { ipKey } from './ip-key.ts';
import { keyedHash } from './keyed-hash.ts';
import { SpinLock } from './spin-lock.ts';

/** Can be posted. */
export interface StickyMemory {
  readonly buffer: SharedArrayBuffer;
  /** Clients remembered. */
  readonly max: number;
  readonly ttlSeconds: number;
}

export interface StickySize {
  readonly max: number;
  readonly ttlMs: number;
}

export interface StickyDeps {
  /** Whole seconds of a clock that never goes back and is one for all threads. Default: `process.hrtime`. */
  readonly nowSeconds?: () => number;
  /** The key of the hash, twice 32 random bits. Control only. Default: the system's randomness. */
  readonly key?: readonly [number, number];
}

/** Places in the array, in words; tests use them too. */
export const STICKY_LAYOUT = {
  lock: 0,
  size: 1,
  /** Entries that have been in use since the table was empty. */
  touched: 2,
  /** Head of the chain of entries that were in use and are free again. */
  free: 3,
  newest: 4,
  oldest: 5,
  hashKey: 6,
  chains: 8,
  /** Words of an entry: address (4), tag, last use, next in chain, newer, older. */
  entry: 9,
} as const;

const { lock: LOCK, size: SIZE, touched: TOUCHED, free: FREE } = STICKY_LAYOUT;
const { newest: NEWEST, oldest: OLDEST, hashKey: KEY, chains: CHAINS, entry: ENTRY } = STICKY_LAYOUT;
const TAG = 4;
const USED_AT = 5;
const CHAIN = 6;
const NEWER = 7;
const OLDER = 8;
const NONE = 0;
/** Expired entries that each new one removes: more than are added. */
const EXPIRED_AT_ONCE = 2;

export class StickyTable {
  readonly memory: StickyMemory;
  readonly #words: Int32Array;
  readonly #mask: number;
  readonly #lock: SpinLock;
  readonly #now: () => number;
  readonly #key = new Int32Array(4);

  /** @param worker whose view it is, numbered from 0 */
  constructor(size: StickySize, deps: StickyDeps = {}, memory?: StickyMemory, worker = 0) {
    this.memory = memory ?? allocate(size, deps.key);
    this.#words = new Int32Array(this.memory.buffer);
    this.#mask = chainsFor(this.memory.max) - 1;
    this.#lock = new SpinLock(this.#words, LOCK, tagOf(worker));
    this.#now = deps.nowSeconds ?? hrtimeSeconds;
  }

  /** Memory of another size; what is remembered stays where only the time to live changes. Control only. */
  static resized(before: StickyMemory | undefined, size: StickySize | undefined): StickyMemory | undefined {
    if (size === undefined || before?.max !== size.max) return size && new StickyTable(size).memory;
    const ttlSeconds = ttlSecondsOf(size);
    return before.ttlSeconds === ttlSeconds ? before : { ...before, ttlSeconds };
  }

  static forWorker(memory: StickyMemory, worker: number, deps: StickyDeps = {}): StickyTable {
    return new StickyTable({ max: memory.max, ttlMs: memory.ttlSeconds * 1_000 }, deps, memory, worker);
  }

  /** Clients remembered, with those that have expired since they last came. */
  get size(): number {
    return Atomics.load(this.#words, SIZE);
  }

  /** The tag of the backend that the client had last; undefined: not known. Counts as a use. */
  find(clientAddress: string): number | undefined {
    if (!ipKey(clientAddress, this.#key)) return undefined;
    const chain = this.#chainOf(this.#key, 0);
    const now = this.#now();
    if (!this.#lock.acquire()) return undefined;
    const entry = this.#lookUp(chain);
    let tag: number | undefined;
    if (entry !== NONE && this.#isExpired(entry, now)) {
      this.#remove(entry);
    } else if (entry !== NONE) {
      this.#use(entry, now);
      tag = this.#get(entry + TAG);
    }
    this.#lock.release();
    return tag;
  }

  /** Remembers the client's backend from now on, instead of any other. */
  bind(clientAddress: string, tag: number): void {
    if (!ipKey(clientAddress, this.#key)) return;
    const chain = this.#chainOf(this.#key, 0);
    const now = this.#now();
    if (!this.#lock.acquire()) return;
    let entry = this.#lookUp(chain);
    if (entry === NONE) entry = this.#insert(chain, now);
    this.#set(entry + TAG, tag);
    this.#use(entry, now);
    this.#lock.release();
  }

  /** Empties a table that a dead worker may have left half changed. Control only, and only once the thread is gone. */
  forget(worker: number): void {
    if (!this.#lock.takeFrom(tagOf(worker))) return;
    this.#empty();
    this.#lock.release();
  }

  #empty(): void {
    this.#words.fill(0, SIZE, KEY);
    this.#words.fill(0, CHAINS, CHAINS + this.#mask + 1);
  }

  /** The place of the entry's first word; 0: there is none. */
  #lookUp(chain: number): number {
    let entry = this.#get(chain);
    while (entry !== NONE && !this.#hasKey(entry)) entry = this.#get(entry + CHAIN);
    return entry;
  }

  #hasKey(entry: number): boolean {
    const words = this.#words;
    const key = this.#key;
    return (
      words[entry + 3] === key[3] &&
      words[entry + 2] === key[2] &&
      words[entry + 1] === key[1] &&
      words[entry] === key[0]
    );
  }

  #insert(chain: number, now: number): number {
    for (let i = 0; i < EXPIRED_AT_ONCE; i++) {
      const oldest = this.#get(OLDEST);
      if (oldest !== NONE && this.#isExpired(oldest, now)) this.#remove(oldest);
    }
    if (this.#get(SIZE) >= this.memory.max) this.#remove(this.#get(OLDEST));
    const entry = this.#take();
    this.#words.set(this.#key, entry);
    this.#set(entry + CHAIN, this.#get(chain));
    this.#set(chain, entry);
    this.#set(SIZE, this.#get(SIZE) + 1);
    this.#linkAsNewest(entry);
    return entry;
  }

  /** An entry that is not in use. */
  #take(): number {
    const free = this.#get(FREE);
    if (free !== NONE) {
      this.#set(FREE, this.#get(free + CHAIN));
      return free;
    }
    const touched = this.#get(TOUCHED);
    this.#set(TOUCHED, touched + 1);
    return CHAINS + this.#mask + 1 + touched * ENTRY;
  }

  #remove(entry: number): void {
    let link = this.#chainOf(this.#words, entry);
    while (this.#get(link) !== entry) link = this.#get(link) + CHAIN;
    this.#set(link, this.#get(entry + CHAIN));
    this.#unlink(entry);
    this.#set(entry + CHAIN, this.#get(FREE));
    this.#set(FREE, entry);
    this.#set(SIZE, this.#get(SIZE) - 1);
  }

  #use(entry: number, now: number): void {
    this.#set(entry + USED_AT, now);
    if (this.#get(NEWEST) === entry) return;
    this.#unlink(entry);
    this.#linkAsNewest(entry);
  }

  #unlink(entry: number): void {
    const newer = this.#get(entry + NEWER);
    const older = this.#get(entry + OLDER);
    this.#set(newer === NONE ? NEWEST : newer + OLDER, older);
    this.#set(older === NONE ? OLDEST : older + NEWER, newer);
  }

  #linkAsNewest(entry: number): void {
    const second = this.#get(NEWEST);
    this.#set(entry + NEWER, NONE);
    this.#set(entry + OLDER, second);
    this.#set(second === NONE ? OLDEST : second + NEWER, entry);
    this.#set(NEWEST, entry);
  }

  #isExpired(entry: number, now: number): boolean {
    return now - this.#get(entry + USED_AT) > this.memory.ttlSeconds;
  }

  /** The head of the chain for the address that stands in `words` from `at` on. */
  #chainOf(words: Int32Array, at: number): number {
    const [w0, w1, w2, w3] = [words[at] ?? 0, words[at + 1] ?? 0, words[at + 2] ?? 0, words[at + 3] ?? 0];
    return CHAINS + (keyedHash(this.#get(KEY), this.#get(KEY + 1), w0, w1, w2, w3) & this.#mask);
  }

  #get(at: number): number {
    return this.#words[at] ?? 0;
  }

  #set(at: number, value: number): void {
    this.#words[at] = value;
  }
}

function allocate(size: StickySize, key: readonly [number, number] | undefined): StickyMemory {
  const { max } = size;
  const words = CHAINS + chainsFor(max) + max * ENTRY;
  const buffer = new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT);
  new Int32Array(buffer).set(key ?? crypto.getRandomValues(new Int32Array(2)), KEY);
  return { buffer, max, ttlSeconds: ttlSecondsOf(size) };
}

function ttlSecondsOf({ ttlMs }: StickySize): number {
  return Math.ceil(ttlMs / 1_000);
}

function chainsFor(max: number): number {
  return 2 ** Math.ceil(Math.log2(max));
}

/** The tag of a worker that holds the lock; 0 would mean that the lock is free. */
function tagOf(worker: number): number {
  return worker + 1;
}

function hrtimeSeconds(): number {
  return process.hrtime()[0];
}
