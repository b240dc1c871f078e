/**
 * One instance as tests of the exchange have it: it publishes what it is told, with a number of its own each time.
 *
 * Place: test/contracts/exchange.ts makes several per test.
 */
import type { Change, Exchange, NameTaken, Publication, Totals } from '../../src/control/mirror/exchange.ts';

/** What the exchanges of one test share. */
export interface ExchangeWorld {
  /** Another process's exchange. */
  connect(): Exchange;
  /** Lets time pass, as leases see it. */
  pass(ms: number): Promise<void>;
  /** Loses all data. */
  flush(): Promise<void>;
}

export type Counts = Readonly<Record<string, number>>;

/** Long enough for a slow machine, and for all that is not about leases. */
const LONG_MS = 60_000;

export class Instance {
  readonly upstream: string;
  readonly instance: string;
  readonly owner: string;
  readonly exchange: Exchange;
  readonly changes: Change[] = [];
  number = 0;

  constructor(world: ExchangeWorld, upstream: string, instance: string, owner = `${instance}'s owner`) {
    this.upstream = upstream;
    this.instance = instance;
    this.owner = owner;
    this.exchange = world.connect();
    this.exchange.onChange(change => void this.changes.push(change));
  }

  say(counts: Counts, further: Partial<Publication> = {}): Promise<Totals | NameTaken> {
    this.number = further.number ?? this.number + 1;
    return this.exchange.exchange({
      upstream: this.upstream,
      instance: this.instance,
      owner: this.owner,
      number: this.number,
      leaseMs: LONG_MS,
      counts: mapOf(counts),
      unseen: 0,
      ...further,
    });
  }

  async read(counts: Counts, further: Partial<Publication> = {}): Promise<Totals> {
    const answer = await this.say(counts, further);
    if (answer.kind !== 'totals') throw new Error(`${this.instance} does not hold its name`);
    return answer;
  }

  async totals(counts: Counts, further: Partial<Publication> = {}): Promise<Counts> {
    return Object.fromEntries((await this.read(counts, further)).totals);
  }

  withdraw(number = this.number + 1): Promise<void> {
    this.number = number;
    return this.exchange.withdraw(this);
  }
}

export const mapOf = (counts: Counts): Map<string, number> => new Map(Object.entries(counts));
