/**
 * What the page has seen so far: figures of the instance by second, and states of backends by slots of five seconds.
 *
 * Why in the page: lb4 keeps no history for it, so a page costs nothing while none is open. For how long a backend is in
 * its state is known from the first status on.
 */
export const SLOTS = 60;
export const SLOT_MS = 5_000;
const SECONDS = 300;

/** Of the states in one slot the worst is shown. */
const RANK = ['up', 'standby', 'drain', 'maint', 'trial', 'ejected', 'unresolved', 'down'];

export class History {
  /** Times (seconds since 1970), sessions per second, live sessions, bytes per second from clients and from backends,
   * failures per second. */
  seconds = [[], [], [], [], [], []];
  #backends = new Map();
  #last;

  /** Takes a status, received now, and the rates that come of it. */
  add(status, nowMs, { bytes, failures = null }) {
    const last = this.#last;
    // Another process, or one status twice.
    const isSame = last !== undefined && last.pid === status.pid && status.uptimeMs >= last.uptimeMs;
    if (isSame && status.uptimeMs === last.uptimeMs) return;
    const passed = isSame ? (status.uptimeMs - last.uptimeMs) / 1_000 : 0;
    const rate = isSame ? (status.sessionsEver - last.sessionsEver) / passed : null;
    this.#last = status;
    const row = [
      nowMs / 1_000,
      rate,
      status.sessions,
      bytes?.client ?? null,
      bytes?.backend ?? null,
      failures,
    ];
    for (const [i, column] of this.seconds.entries()) {
      column.push(row[i]);
      if (column.length > SECONDS) column.shift();
    }
    const slot = Math.floor(nowMs / SLOT_MS);
    const seen = new Set();
    for (const { name, backends } of status.upstreams) {
      for (const backend of backends) {
        if (backend.state === 'removed') continue;
        const key = keyOf(name, backend.backend);
        seen.add(key);
        this.#backend(key, backend, slot, nowMs).take(backend, slot);
      }
    }
    for (const key of this.#backends.keys()) if (!seen.has(key)) this.#backends.delete(key);
  }

  /** Sessions that began in the last second; undefined until that is known. */
  get rate() {
    return this.seconds[1].at(-1) ?? undefined;
  }

  /** The slots of a backend, oldest first: `{ state, sessions }`, and undefined for what is not known. */
  of(upstream, backend) {
    return this.#backends.get(keyOf(upstream, backend))?.slots ?? [];
  }

  #backend(key, { state, stateForMs }, slot, nowMs) {
    let found = this.#backends.get(key);
    if (found !== undefined) return found;
    found = new Slots(slot);
    const since = Math.floor((nowMs - stateForMs) / SLOT_MS);
    for (let i = 0; i < SLOTS; i++) {
      if (slot - SLOTS + 1 + i >= since) found.slots[i] = { state, sessions: undefined };
    }
    this.#backends.set(key, found);
    return found;
  }
}

class Slots {
  slots = new Array(SLOTS).fill(undefined);
  #at;

  constructor(slot) {
    this.#at = slot;
  }

  take({ state, sessions }, slot) {
    for (let steps = Math.min(slot - this.#at, SLOTS); steps > 0; steps--) {
      this.slots.shift();
      this.slots.push(undefined);
    }
    this.#at = Math.max(slot, this.#at);
    const before = this.slots[SLOTS - 1];
    this.slots[SLOTS - 1] = {
      state: before === undefined ? state : worse(before.state, state),
      sessions: Math.max(sessions, before?.sessions ?? 0),
    };
  }
}

function worse(one, other) {
  return RANK.indexOf(one) > RANK.indexOf(other) ? one : other;
}

function keyOf(upstream, backend) {
  return JSON.stringify([upstream, backend]);
}
