/**
 * A balancer as the admin API sees it, without sockets: what it shows can be set, and changes are kept.
 */
import type { Balanced, NewBackend } from '../../src/admin/port.ts';
import { Lb4Error } from '../../src/errors.ts';
import { Events, type EventMap, type EventName } from '../../src/model/events.ts';
import { matcherOf, type SessionQuery, type SessionView } from '../../src/model/session-view.ts';
import { Counts, type CounterView } from '../../src/model/counter-view.ts';
import { BLOCK_CELLS } from '../../src/shared-memory/counters/layout.ts';
import type { BackendView, LoadBalancerSnapshot, UpstreamView } from '../../src/model/snapshot.ts';
import type { OperatorState } from '../../src/model/words.ts';
import { formatAddress, parseAddress } from '../../src/support/address.ts';

export function backendView(backend: string, parts: Partial<BackendView> = {}): BackendView {
  return {
    backend,
    state: 'up',
    stateForMs: 0,
    takesSessions: true,
    health: 'up',
    operator: 'ready',
    agent: undefined,
    backup: false,
    ejection: undefined,
    share: 1,
    weight: 1,
    maxSessions: undefined,
    sessions: 0,
    elsewhere: 0,
    connections: 0,
    pool: { parked: 0, hits: 0, misses: 0 },
    ...parts,
  };
}

export function upstreamView(name: string, backends: readonly BackendView[]): UpstreamView {
  const queue = { waiting: 0, max: 1024, longestMs: 0 };
  return {
    ...{ name, strategy: 'leastconn', mode: 'normal', queue, backends, overrides: [] },
    retryBudget: { left: 100 },
  };
}

export function snapshotWith(parts: Partial<LoadBalancerSnapshot> = {}): LoadBalancerSnapshot {
  return {
    state: 'running',
    ready: true,
    engine: 'epoll',
    sessions: 0,
    sessionsEver: 0,
    maxSessions: undefined,
    workers: [],
    listeners: [
      {
        name: 'web',
        addresses: ['127.0.0.1:80'],
        paused: false,
        pausedMs: undefined,
        engine: 'epoll',
        sessions: 0,
      },
    ],
    upstreams: [upstreamView('app', [backendView('10.0.0.1:80'), backendView('10.0.0.2:80')])],
    mirror: undefined,
    ...parts,
  };
}

/** Counters that are all 0, but for `cells` of a backend. */
export function countersOf(
  { listeners, upstreams }: LoadBalancerSnapshot,
  cells: (backend: string) => Float64Array = () => new Float64Array(BLOCK_CELLS),
): CounterView {
  const none = (): Counts => new Counts(new Float64Array(BLOCK_CELLS));
  return {
    instance: none(),
    listeners: listeners.map(({ name }) => ({ name, counts: none() })),
    upstreams: upstreams.map(({ name, backends }) => ({
      name,
      counts: none(),
      backends: backends.map(({ backend }) => ({ backend, counts: new Counts(cells(backend)) })),
    })),
  };
}

export function sessionView(id: string, parts: Partial<SessionView> = {}): SessionView {
  return {
    id,
    listener: 'web',
    upstream: 'app',
    backend: '10.0.0.1:80',
    clientAddress: '192.0.2.1',
    clientPort: 40_000,
    phase: 'relay',
    startedAtMs: Date.now() - 1_000,
    bytesFromClient: 10,
    bytesFromBackend: 20,
    ...parts,
  };
}

export class FakeBalancer implements Balanced {
  readonly events = new Events();
  /** Names of upstreams, with their backends by address. */
  readonly upstreams = new Map([
    [
      'app',
      new Map([backendView('10.0.0.1:80'), backendView('10.0.0.2:80')].map(each => [each.backend, each])),
    ],
  ]);
  running: SessionView[] = [];
  state: LoadBalancerSnapshot['state'] = 'running';

  counters(): CounterView {
    return countersOf(this.snapshot());
  }

  snapshot(): LoadBalancerSnapshot {
    const upstreams = [...this.upstreams].map(([name, backends]) =>
      upstreamView(name, [...backends.values()]),
    );
    return snapshotWith({
      upstreams,
      state: this.state,
      ready: this.state === 'running',
      sessions: this.running.length,
    });
  }

  on<N extends EventName>(name: N, listener: (event: EventMap[N]) => void): () => void {
    return this.events.on(name, listener);
  }

  setBackendState(upstream: string, backend: string, operator: OperatorState): void {
    this.#change(upstream, backend, { operator, takesSessions: operator === 'ready' });
  }

  setBackendWeight(upstream: string, backend: string, weight: number): void {
    this.#change(upstream, backend, { weight });
  }

  addBackend(upstream: string, { address, weight = 1, maxSessions, backup = false }: NewBackend): void {
    const parsed = parseAddress(address);
    if (!parsed.ok) throw new Lb4Error('LB4_CONFIG_INVALID', `address: expected ${parsed.expected}`);
    const id = formatAddress(parsed.address);
    this.#backends(upstream).set(id, backendView(id, { weight, maxSessions, backup }));
  }

  removeBackend(upstream: string, backend: string): void {
    this.#change(upstream, backend, {});
    this.#backends(upstream).delete(backend);
  }

  settled(): Promise<void> {
    return Promise.resolve();
  }

  sessions({ limit, ...filter }: SessionQuery): Promise<readonly SessionView[]> {
    return Promise.resolve(this.running.filter(matcherOf(filter)).slice(0, limit));
  }

  async endSessions(query: SessionQuery): Promise<number> {
    const ended = await this.sessions(query);
    this.running = this.running.filter(each => !ended.includes(each));
    return ended.length;
  }

  #change(upstream: string, backend: string, parts: Partial<BackendView>): void {
    if (this.state === 'stopped')
      throw new Lb4Error('LB4_WRONG_STATE', 'cannot change a backend: it is stopped');
    const parsed = parseAddress(backend);
    const id = parsed.ok ? formatAddress(parsed.address) : backend;
    const before = this.#backends(upstream).get(id);
    if (before === undefined) throw new Lb4Error('LB4_UNKNOWN_BACKEND', `no backend ${backend}`);
    this.#backends(upstream).set(id, { ...before, ...parts });
  }

  #backends(upstream: string): Map<string, BackendView> {
    const backends = this.upstreams.get(upstream);
    if (backends === undefined) throw new Lb4Error('LB4_UNKNOWN_UPSTREAM', `no upstream ${upstream}`);
    return backends;
  }
}
