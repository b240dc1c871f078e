/**
 * The plain model of what instances share: everything that Redis and its script do, without Redis.
 *
 * Place: tests put a `MemoryExchange` per instance in front of one `MemoryHub`, simulations do so with a delay
 * (`model-exchange.ts`); the contract suite of exchanges compares it with Redis. It keeps every instance's publication,
 * and sums them all up whenever an instance joins, leaves or has other backends. The clock is injected. Changes are
 * sent through `deliver`, at once unless the test delays them.
 */
import type { MirrorFailure } from '../model/words.ts';
import {
  ExchangeError,
  type Change,
  type Exchange,
  type NameTaken,
  type Publication,
  type Totals,
} from '../control/mirror/exchange.ts';
import { MOST_CHANGES_TOLD, TOMBSTONE_MS } from '../control/mirror/exchange-script.ts';
import { TellingPace } from './telling-pace.ts';

type Who = Pick<Publication, 'upstream' | 'instance' | 'owner' | 'number'>;

interface Entry {
  readonly owner: string;
  readonly number: number;
  readonly publishedAt: number;
  endsAt: number;
  /** Undefined after a withdrawal: a name that is free, and a number that late publications do not reach. */
  readonly said: Publication | undefined;
}

interface UpstreamState {
  version: number;
  /** The instances that the totals as last sent include. */
  readonly entries: Map<string, Entry>;
  readonly pace: TellingPace;
  totals: ReadonlyMap<string, number>;
}

const NONE: ReadonlyMap<string, number> = new Map();

export class MemoryHub {
  readonly #now: () => number;
  readonly #deliver: (tell: () => void) => void;
  readonly #upstreams = new Map<string, UpstreamState>();
  readonly #exchanges = new Set<MemoryExchange>();

  /** `deliver` receives each message about a change to one exchange: call it then, later or never. */
  constructor(deps: { readonly now: () => number; readonly deliver?: (tell: () => void) => void }) {
    this.#now = deps.now;
    this.#deliver = deps.deliver ?? (tell => tell());
  }

  /** Another instance's connection. */
  connect(): MemoryExchange {
    const exchange = new MemoryExchange(this, () => this.#exchanges.delete(exchange));
    this.#exchanges.add(exchange);
    return exchange;
  }

  publish(publication: Publication): Totals | NameTaken {
    const said = { ...publication, counts: new Map(publication.counts) };
    return this.#step(publication, { endsAt: this.#now() + publication.leaseMs, said });
  }

  withdraw(who: Who): void {
    this.#step(who, { endsAt: this.#now() + TOMBSTONE_MS, said: undefined });
  }

  /** Ends an instance's lease, as its death does in time. */
  expire(upstream: string, instance: string): void {
    const entry = this.#upstreams.get(upstream)?.entries.get(instance);
    if (entry !== undefined) entry.endsAt = -Infinity;
  }

  /** FLUSHALL: all is forgotten. */
  flush(): void {
    this.#upstreams.clear();
  }

  #step(who: Who, after: Omit<Entry, 'owner' | 'number' | 'publishedAt'>): Totals | NameTaken {
    const { upstream, instance, owner, number } = who;
    const now = this.#now();
    const known = this.#upstreams.get(upstream);
    const state: UpstreamState = known ?? {
      ...{ version: Math.floor(now), entries: new Map(), totals: new Map(), pace: new TellingPace() },
    };
    const before = alive(state.entries.get(instance), now);
    if (before?.said !== undefined && before.owner !== owner) return { kind: 'nameTaken' };
    this.#upstreams.set(upstream, state);

    let isAnew = known === undefined;
    let said = before?.said;
    for (const [name, entry] of state.entries) {
      if (alive(entry, now) !== undefined) continue;
      state.entries.delete(name);
      // The end of a tombstone changes nothing.
      if (entry.said !== undefined) isAnew = true;
    }
    if (before?.owner !== owner || number > before.number) {
      state.entries.set(instance, { ...after, owner, number, publishedAt: now });
      isAnew ||= !hasSameBackends(before?.said, after.said);
      said = after.said;
    }

    const deltas = isAnew ? undefined : differences(before?.said?.counts ?? NONE, said?.counts ?? NONE);
    if (deltas === undefined) state.totals = sumUp(state.entries.values());
    else if (deltas.size > 0) state.totals = withDeltas(state.totals, deltas);
    if (deltas?.size !== 0) state.version += 1;
    const members = [...state.entries.values()].filter(({ said }) => said !== undefined).length;
    const isTelling = state.pace.isTelling(members, now);
    if (deltas !== undefined && deltas.size > 0) {
      state.pace.noteChange(now);
      if (isTelling && deltas.size <= MOST_CHANGES_TOLD) {
        this.#tell({ upstream, instance, version: state.version, deltas });
      }
    }
    return { ...read(state, instance, now), wasUnknown: before?.said === undefined, isTelling };
  }

  #tell(change: Change): void {
    for (const exchange of this.#exchanges) {
      this.#deliver(() => {
        exchange.hear(change);
      });
    }
  }
}

export class MemoryExchange implements Exchange {
  readonly #hub: MemoryHub;
  readonly #leave: () => void;
  readonly #following = new Set<string>();
  #failure: ExchangeError | undefined;
  #isClosed = false;
  #onChange: (change: Change) => void = () => undefined;
  #onReady: () => void = () => undefined;

  /** Made by `MemoryHub.connect`. */
  constructor(hub: MemoryHub, leave: () => void) {
    this.#hub = hub;
    this.#leave = leave;
  }

  /** From now on every call fails for this reason, and no message arrives, until it is `undefined` again. */
  failWith(reason: MirrorFailure | undefined): void {
    const wasFailing = this.#failure !== undefined;
    this.#failure =
      reason === undefined ? undefined : new ExchangeError(reason, `the model fails: ${reason}`);
    if (wasFailing && reason === undefined) this.#onReady();
  }

  async exchange(publication: Publication): Promise<Totals | NameTaken> {
    this.#following.add(publication.upstream);
    this.#check();
    return Promise.resolve(this.#hub.publish(publication));
  }

  async withdraw(who: Who): Promise<void> {
    this.#following.delete(who.upstream);
    this.#check();
    this.#hub.withdraw(who);
    return Promise.resolve();
  }

  onChange(listener: (change: Change) => void): void {
    this.#onChange = listener;
  }

  onReady(listener: () => void): void {
    this.#onReady = listener;
  }

  close(): void {
    this.#isClosed = true;
    this.#leave();
  }

  /** A message of the hub. */
  hear(change: Change): void {
    if (this.#isClosed || this.#failure !== undefined || !this.#following.has(change.upstream)) return;
    this.#onChange(change);
  }

  #check(): void {
    if (this.#isClosed) throw new ExchangeError('unreachable', 'the model is closed');
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function alive(entry: Entry | undefined, now: number): Entry | undefined {
  return entry !== undefined && entry.endsAt > now ? entry : undefined;
}

/** An instance that joins, leaves or has other backends than before causes all publications to be summed up again. */
function hasSameBackends(before: Publication | undefined, after: Publication | undefined): boolean {
  if (before === undefined || after === undefined) return before === after;
  if (before.counts.size !== after.counts.size) return false;
  for (const backend of after.counts.keys()) if (!before.counts.has(backend)) return false;
  return true;
}

function sumUp(entries: Iterable<Entry>): Map<string, number> {
  const totals = new Map<string, number>();
  for (const { said } of entries) {
    for (const [backend, count] of said?.counts ?? []) {
      totals.set(backend, (totals.get(backend) ?? 0) + count);
    }
  }
  return totals;
}

function withDeltas(
  totals: ReadonlyMap<string, number>,
  deltas: ReadonlyMap<string, number>,
): Map<string, number> {
  const changed = new Map(totals);
  for (const [backend, delta] of deltas) changed.set(backend, (changed.get(backend) ?? 0) + delta);
  return changed;
}

function differences(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): Map<string, number> {
  const deltas = new Map<string, number>();
  for (const backend of new Set([...before.keys(), ...after.keys()])) {
    const delta = (after.get(backend) ?? 0) - (before.get(backend) ?? 0);
    if (delta !== 0) deltas.set(backend, delta);
  }
  return deltas;
}

function read(state: UpstreamState, me: string, now: number): Omit<Totals, 'wasUnknown' | 'isTelling'> {
  const others = [...state.entries].filter(([name, { said }]) => name !== me && said !== undefined);
  return {
    kind: 'totals',
    version: state.version,
    totals: new Map(state.totals),
    unseen: others.reduce((sum, [, { said }]) => sum + (said?.unseen ?? 0), 0),
    others: others.map(([instance]) => instance),
    ageMs: others.reduce((age, [, { publishedAt }]) => Math.max(age, now - publishedAt), 0),
  };
}
