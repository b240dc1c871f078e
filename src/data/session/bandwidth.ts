/**
 * The bandwidth of the sessions of one listener, as its plan limits it.
 *
 * Place: a front has one while its plan limits bandwidth, and another one when those limits change (pacing.ts);
 * sessions ask it for the paces of their relays.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Paces, Relay } from '../../engine/engine.ts';
import type { BandwidthLimits, ListenerPlan } from '../../model/listener-plan.ts';
import type { ByteTimes } from '../../shared-memory/byte-times.ts';
import type { Cells } from '../../shared-memory/counters/counters.ts';
import { LISTENER, SENDERS } from '../../shared-memory/counters/layout.ts';
import { Pace, type PaceDeps } from './pace.ts';

export interface BandwidthDeps extends PaceDeps {
  readonly times: ByteTimes;
}

type Sender = (typeof SENDERS)[number];

interface Limits {
  /** Of each session. */
  readonly own: BandwidthLimits;
  /** Of all sessions together. */
  readonly shared: BandwidthLimits;
  /** Where the latter is counted. */
  readonly slot: number;
}

const NO_PACES: Paces = Object.freeze({ fromClient: undefined, fromBackend: undefined });
const NO_LIMITS: BandwidthLimits = Object.freeze({});

export class Bandwidth {
  readonly #limits: Limits;
  readonly #deps: BandwidthDeps;
  readonly #waited: { readonly [D in keyof Paces]: (ms: number) => void };

  /** `cells`: where waits are counted. */
  constructor(limits: Limits, cells: Pick<Cells, 'add'>, deps: BandwidthDeps) {
    this.#limits = limits;
    this.#deps = deps;
    const counted = (sender: Sender) => {
      const series = SENDERS.indexOf(sender);
      return (ms: number): void => cells.add(LISTENER.paced, series, ms / 1000);
    };
    this.#waited = { fromClient: counted('client'), fromBackend: counted('backend') };
  }

  hasLimits(limits: Limits): boolean {
    return isDeepStrictEqual(limits, this.#limits);
  }

  /** For a relay that begins: what was read before it counts, too. */
  begin(relay: Relay): void {
    const paces = this.paces();
    paces.fromClient?.took(relay.bytesFromClient, false);
    paces.fromBackend?.took(relay.bytesFromBackend, false);
    relay.pace(paces);
  }

  /** For one relay. */
  paces(): Paces {
    return { fromClient: this.#paceOf('fromClient'), fromBackend: this.#paceOf('fromBackend') };
  }

  #paceOf(direction: keyof Paces): Pace | undefined {
    const { own, shared, slot } = this.#limits;
    const [ownRate, rate] = [own[direction], shared[direction]];
    if (ownRate === undefined && rate === undefined) return undefined;
    const time = this.#deps.times.of(slot, direction);
    const waited = this.#waited[direction];
    return new Pace(
      { own: ownRate, shared: rate === undefined ? undefined : { rate, time }, waited },
      this.#deps,
    );
  }
}

/** Undefined: the plan limits none. */
export function limitsOf({ limits, slot }: Pick<ListenerPlan, 'limits' | 'slot'>): Limits | undefined {
  const { bandwidth, perSession } = limits;
  if (bandwidth === undefined && perSession?.bandwidth === undefined) return undefined;
  return { own: perSession?.bandwidth ?? NO_LIMITS, shared: bandwidth ?? NO_LIMITS, slot };
}

/** For a relay that runs; undefined: nothing is limited any more. */
export function repace(relay: Relay, bandwidth: Bandwidth | undefined): void {
  relay.pace(bandwidth?.paces() ?? NO_PACES);
}
