/**
 * How many sessions each client has, and how fast it has come: one bounded table per listener that limits its clients,
 * the same for all threads that balance.
 *
 * Place: asked by `admission/client-gate.ts`. A client is an IP address, or the network of given length that it is in.
 * Form: entries of 8 words, eight to a set. A client's hash gives a region (one lock each) and two sets in it; a new
 * client goes into the set with more room. So a table holds nearly as many clients as it has entries. The hash has a
 * random key: addresses cannot be chosen so that they share sets.
 * Eviction: an entry is given to another client only when its client has no session and all its tokens: then it is
 * worth no more than an empty one. An address under attack therefore evicts no other. A new client whose sets have no
 * such entry is let in uncounted: the limits of the listener hold all the same, and a full table shuts no client out. So
 * is one that gets no lock, because a thread has lost its core for 50 ms while it had it.
 * Invariants:
 * - A client never has more sessions than the limit at the time it came, over all threads.
 * - `leave` needs no lock, so a session is never counted for longer than it runs.
 * - Each thread has a row of its own, so that the sessions of one that has died are given back (`forget`).
 * - A thread that dies with a lock leaves at worst an entry that is worth nothing.
 */
import { ipKey } from './ip-key.ts';
import { keyedHash } from './keyed-hash.ts';
import { sharedNowMs } from './shared-clock.ts';
import { SpinLock } from './spin-lock.ts';
import { returnToken, takeToken, type BucketRule } from './token-bucket.ts';

/** Can be posted. */
export interface ClientTableMemory {
  readonly buffer: SharedArrayBuffer;
  /** Entries. */
  readonly clients: number;
  readonly workers: number;
}

/** What one client is allowed. */
export interface ClientRules {
  /** Sessions at a time; undefined: any number. */
  readonly sessions: number | undefined;
  /** New sessions; undefined: at any rate. */
  readonly rate: BucketRule | undefined;
  /** How much of an address is the client, in bits. */
  readonly ipv4Prefix: number;
  readonly ipv6Prefix: number;
}

/** The limit that a client has reached. */
export type ClientLimit = 'sessions' | 'rate';

/** The number of an entry, for `leave`; which limit it has reached; or 'uncounted': there is no room. */
export type Entered = number | ClientLimit | 'uncounted';

export interface ClientTableDeps {
  /** Milliseconds of a clock that never goes back and is one for all threads. */
  readonly nowMs?: () => number;
  /** The key of the hash, twice 32 random bits. Control only. Default: the system's randomness. */
  readonly key?: readonly [number, number];
}

const REGIONS = 16;
/** Words before the entries: the key of the hash, and a lock for each region. */
const [KEY, LOCKS, ENTRIES] = [0, 2, 2 + REGIONS];
/** Words of an entry: address (4), sessions, 1 once it had a client, when its bucket is full (a double). */
const ENTRY = 8;
const [SESSIONS, IN_USE, FULL_AT] = [4, 5, 6];
const WAYS = 8;
/** The fewest entries: with fewer sets in each region some would be full long before the others. */
const FEWEST = 64 * REGIONS * WAYS;
/** The bits of a hash that say the region, and those that say the second set. */
const [REGION_BITS, SECOND_BITS] = [4, 14];
const IPV4_AT = 96;
const MAPPED = 0xffff;

export class ClientTable {
  readonly memory: ClientTableMemory;
  readonly #words: Int32Array;
  /** The same memory, two words at a time. */
  readonly #doubles: Float64Array;
  readonly #row: Int32Array;
  readonly #locks: readonly SpinLock[];
  readonly #setsMask: number;
  readonly #now: () => number;
  readonly #key = new Int32Array(4);

  /** @param worker whose view it is, numbered from 0 */
  constructor(memory: ClientTableMemory, worker = 0, { nowMs = sharedNowMs }: ClientTableDeps = {}) {
    const { buffer, clients } = memory;
    this.memory = memory;
    const words = new Int32Array(buffer, 0, ENTRIES + clients * ENTRY);
    this.#words = words;
    this.#doubles = new Float64Array(buffer, 0, words.length / 2);
    this.#row = this.#rowOf(worker);
    this.#locks = Array.from({ length: REGIONS }, (_, i) => new SpinLock(words, LOCKS + i, tagOf(worker)));
    this.#setsMask = clients / (REGIONS * WAYS) - 1;
    this.#now = nowMs;
  }

  /** Pages that no client touches take no memory. */
  static allocate(clients: number, workers: number, { key }: ClientTableDeps = {}): ClientTableMemory {
    const entries = entriesFor(clients);
    const buffer = new SharedArrayBuffer(4 * (ENTRIES + entries * ENTRY + workers * entries));
    new Int32Array(buffer).set(key ?? crypto.getRandomValues(new Int32Array(2)), KEY);
    return { buffer, clients: entries, workers };
  }

  /** Counts a session in for a client that is below its limits; undefined for a client without an IP address. */
  enter(clientAddress: string, rules: ClientRules): Entered | undefined {
    const key = this.#key;
    if (!ipKey(clientAddress, key)) return undefined;
    const isIPv4 = key[0] === 0 && key[1] === 0 && key[2] === MAPPED;
    cut(key, isIPv4 ? IPV4_AT + rules.ipv4Prefix : rules.ipv6Prefix);
    const [w0, w1, w2, w3] = [key[0] ?? 0, key[1] ?? 0, key[2] ?? 0, key[3] ?? 0];
    const hash = keyedHash(this.#get(KEY), this.#get(KEY + 1), w0, w1, w2, w3);
    const lock = this.#locks[hash & (REGIONS - 1)];
    const nowMs = this.#now();
    if (lock?.acquire() !== true) return this.#isAtLimit(hash, rules) ? 'sessions' : 'uncounted';
    const entered = this.#enter(hash, rules, nowMs);
    lock.release();
    return entered;
  }

  /** The session that `enter` has counted at an entry has ended. */
  leave(entry: number): void {
    Atomics.sub(this.#words, ENTRIES + entry * ENTRY + SESSIONS, 1);
    this.#row[entry] = (this.#row[entry] ?? 0) - 1;
  }

  /** The session that `enter` has counted at an entry has never begun: its token is given back, too. */
  undo(entry: number, { rate }: ClientRules): void {
    const lock = this.#locks[Math.floor(entry / ((this.#setsMask + 1) * WAYS))];
    // Without the lock the token stays spent; it comes back by itself.
    if (rate !== undefined && lock?.acquire() === true) {
      returnToken(this.#doubles, (ENTRIES + entry * ENTRY + FULL_AT) / 2, rate);
      lock.release();
    }
    this.leave(entry);
  }

  /** Gives back what a worker held that has died. Control only, and only once the thread is gone. */
  forget(worker: number): void {
    const row = this.#rowOf(worker);
    for (const [entry, sessions] of row.entries()) {
      if (sessions === 0) continue;
      row[entry] = 0;
      Atomics.sub(this.#words, ENTRIES + entry * ENTRY + SESSIONS, sessions);
    }
    for (const lock of this.#locks) if (lock.takeFrom(tagOf(worker))) lock.release();
  }

  /** Without the lock: a client that is known, and has as many sessions as it may, gets no more even then. */
  #isAtLimit(hash: number, { sessions = Infinity }: ClientRules): boolean {
    const [first, second] = this.#setsOf(hash);
    const at = this.#find(first) ?? this.#find(second);
    return at !== undefined && Atomics.load(this.#words, at + SESSIONS) >= sessions;
  }

  #enter(hash: number, { sessions, rate }: ClientRules, nowMs: number): Entered {
    const [first, second] = this.#setsOf(hash);
    let at = this.#find(first) ?? this.#find(second);
    if (at === undefined) {
      at = this.#freeIn(first, second, nowMs);
      if (at === undefined) return 'uncounted';
      this.#words.set(this.#key, at);
      this.#words[at + IN_USE] = 1;
      this.#doubles[(at + FULL_AT) / 2] = 0;
    }
    if (sessions !== undefined && Atomics.load(this.#words, at + SESSIONS) >= sessions) return 'sessions';
    if (rate !== undefined && !takeToken(this.#doubles, (at + FULL_AT) / 2, rate, nowMs)) return 'rate';
    const entry = (at - ENTRIES) / ENTRY;
    Atomics.add(this.#words, at + SESSIONS, 1);
    this.#row[entry] = (this.#row[entry] ?? 0) + 1;
    return entry;
  }

  /** The first words of the two sets in which the client may be. */
  #setsOf(hash: number): readonly [first: number, second: number] {
    const region = hash & (REGIONS - 1);
    return [
      this.#setAt(region, hash >>> REGION_BITS),
      this.#setAt(region, hash >>> (REGION_BITS + SECOND_BITS)),
    ];
  }

  /** The first word of a set. */
  #setAt(region: number, bits: number): number {
    return ENTRIES + (region * (this.#setsMask + 1) + (bits & this.#setsMask)) * WAYS * ENTRY;
  }

  /** The first word of the client's entry. */
  #find(set: number): number | undefined {
    const words = this.#words;
    const key = this.#key;
    for (let at = set; at < set + WAYS * ENTRY; at += ENTRY) {
      if (words[at + 3] !== key[3] || words[at + 1] !== key[1] || words[at] !== key[0]) continue;
      // An entry that had no client yet looks like that of `::`.
      if (words[at + 2] === key[2] && words[at + IN_USE] === 1) return at;
    }
    return undefined;
  }

  /** An entry that is worth nothing, in the set that has more of them. */
  #freeIn(first: number, second: number, nowMs: number): number | undefined {
    let [free, most]: [number | undefined, number] = [undefined, 0];
    for (const set of [first, second]) {
      let [one, count]: [number | undefined, number] = [undefined, 0];
      for (let at = set; at < set + WAYS * ENTRY; at += ENTRY) {
        if (Atomics.load(this.#words, at + SESSIONS) !== 0 || this.#fullAt(at) > nowMs) continue;
        one ??= at;
        count += 1;
      }
      if (count > most) [free, most] = [one, count];
    }
    return free;
  }

  #fullAt(at: number): number {
    return this.#doubles[(at + FULL_AT) / 2] ?? 0;
  }

  #get(at: number): number {
    return this.#words[at] ?? 0;
  }

  #rowOf(worker: number): Int32Array {
    const { buffer, clients } = this.memory;
    return new Int32Array(buffer, 4 * (ENTRIES + clients * ENTRY + worker * clients), clients);
  }
}

/** Leaves the first `bits` bits of an address. */
function cut(key: Int32Array, bits: number): void {
  for (let word = 0; word < 4; word++) {
    const left = bits - 32 * word;
    if (left >= 32) continue;
    key[word] = left <= 0 ? 0 : (key[word] ?? 0) & (-1 << (32 - left));
  }
}

function entriesFor(clients: number): number {
  return Math.max(2 ** Math.ceil(Math.log2(clients)), FEWEST);
}

/** The tag of a worker that holds a lock; 0 would mean that the lock is free. */
function tagOf(worker: number): number {
  return worker + 1;
}
