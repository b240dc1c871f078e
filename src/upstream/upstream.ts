/**
 * Control's model of one upstream: its backends and what is known of each, published as snapshots.
 *
 * Place: health checks and the resolver report here; every change of a backend's eligibility or address makes
 * one new snapshot for the data plane, and every flip one event.
 * Invariants: a backend is identified by its configured address; snapshots are immutable.
 */
import { isIP } from 'node:net';
import type { Events } from '../events.ts';
import type { Address } from '../support/address.ts';
import { isEligible } from './eligibility.ts';
import type { SharedState } from '../shared-memory/shared-state.ts';
import type { UpstreamSnapshot } from './snapshot.ts';

/** A backend as configured. */
export interface BackendSettings {
  readonly id: string;
  readonly address: Address;
  readonly weight: number;
  readonly maxSessions: number | undefined;
}

export interface UpstreamDeps {
  readonly shared: SharedState;
  readonly events: Events;
  /** Hands a snapshot to the data plane. */
  publish(snapshot: UpstreamSnapshot): void;
}

interface BackendState {
  readonly settings: BackendSettings;
  readonly slot: number;
  /** Where to connect now: the configured address, or what its name was last resolved to. */
  address: Address | undefined;
  healthy: boolean;
}

/** What `snapshot()` tells of a backend. */
export interface BackendStatus {
  readonly backend: string;
  /** Where it is counted. */
  readonly slot: number;
  readonly weight: number;
  readonly state: 'up' | 'down';
  readonly sessions: number;
  /** The numeric address in use, when the backend was configured by name. */
  readonly address: Address | undefined;
}

export class Upstream {
  readonly name: string;
  readonly #deps: UpstreamDeps;
  readonly #backends: ReadonlyMap<string, BackendState>;
  #isUp = true;
  #publishing: NodeJS.Immediate | undefined;

  constructor(name: string, backends: readonly BackendSettings[], deps: UpstreamDeps) {
    this.name = name;
    this.#deps = deps;
    this.#backends = new Map(
      backends.map(settings => [
        settings.id,
        {
          settings,
          slot: deps.shared.counts.slotOf(name, settings.id),
          address: isNumeric(settings.address) ? settings.address : undefined,
          // Before the first probe has answered, a backend is taken for healthy: connect errors are redispatched.
          healthy: true,
        },
      ]),
    );
  }

  /** Hands the data plane a snapshot of what is known now. */
  publish(): void {
    clearImmediate(this.#publishing);
    this.#publishing = undefined;
    this.#deps.publish({
      name: this.name,
      backends: Array.from(this.#backends.values(), ({ settings, slot, address, healthy }) => ({
        id: settings.id,
        slot,
        address,
        weight: settings.weight,
        maxSessions: settings.maxSessions,
        eligible: isEligible({ healthy, resolved: address !== undefined }),
        trial: false,
        resetSessions: false,
      })),
    });
  }

  /** Where the backend is now; undefined while its name has not been resolved. */
  addressOf(id: string): Address | undefined {
    return this.#backend(id).address;
  }

  /** The active health check has reached a new verdict. */
  setHealthy(id: string, healthy: boolean, reason: string): void {
    this.#change(id, reason, backend => {
      backend.healthy = healthy;
    });
  }

  /** The backend's name was resolved, to another address than before or for the first time. */
  setAddress(id: string, address: Address): void {
    this.#change(id, 'name resolved', backend => {
      backend.address = address;
    });
  }

  /** The backend's name cannot be resolved and never could; a known address is kept instead. */
  reportUnresolved(id: string, reason: string): void {
    this.#deps.events.emit('backend:down', { upstream: this.name, backend: id, reason });
    this.#reportFlip();
  }

  status(): readonly BackendStatus[] {
    return Array.from(this.#backends.values(), backend => ({
      backend: backend.settings.id,
      slot: backend.slot,
      weight: backend.settings.weight,
      state: stateOf(backend),
      sessions: this.#deps.shared.counts.live(backend.slot),
      address: isNumeric(backend.settings.address) ? undefined : backend.address,
    }));
  }

  #change(id: string, reason: string, change: (backend: BackendState) => void): void {
    const backend = this.#backend(id);
    const before = stateOf(backend);
    change(backend);
    // Once per turn: when a thousand backends flip together, one snapshot tells of all of them.
    this.#publishing ??= setImmediate(() => this.publish());
    const after = stateOf(backend);
    if (after === before) return;
    this.#deps.events.emit(`backend:${after}`, { upstream: this.name, backend: id, reason });
    this.#reportFlip();
  }

  /** Tells when the last backend has gone down, and when the first one is back. */
  #reportFlip(): void {
    const isUp = [...this.#backends.values()].some(backend => stateOf(backend) === 'up');
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    this.#deps.events.emit(isUp ? 'upstream:up' : 'upstream:down', { upstream: this.name });
  }

  #backend(id: string): BackendState {
    const backend = this.#backends.get(id);
    if (backend === undefined) throw new RangeError(`upstream ${this.name} has no backend ${id}`);
    return backend;
  }
}

/** Can it be connected to as it stands, without asking a resolver? */
export function isNumeric(address: Address): boolean {
  return address.kind === 'unix' || isIP(address.host) !== 0;
}

function stateOf({ healthy, address }: BackendState): 'up' | 'down' {
  return isEligible({ healthy, resolved: address !== undefined }) ? 'up' : 'down';
}
