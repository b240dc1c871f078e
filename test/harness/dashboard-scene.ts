/**
 * Five minutes of a small site, second by second, for pictures of the dashboard that look the same each time.
 *
 * Nothing in it is random, and the last status is the one that a test compares the page with.
 */
import type { BackendView, LoadBalancerSnapshot, UpstreamView } from '../../src/model/snapshot.ts';
import { BACKEND, Counts, LISTENER, UPSTREAM, type CounterView } from '../../src/model/counter-view.ts';
import { Cells } from '../../src/shared-memory/counters/counters.ts';
import { endingOf } from '../../src/shared-memory/counters/endings.ts';
import { BLOCK_CELLS } from '../../src/shared-memory/counters/layout.ts';
import { backendView, snapshotWith, upstreamView } from './fake-balancer.ts';

export const SCENE_SECONDS = 300;
/** A Tuesday afternoon, when the last status is sent. */
export const SCENE_END_MS = Date.UTC(2026, 2, 10, 14, 7, 30);

export interface SceneStatus extends LoadBalancerSnapshot {
  readonly name: string;
  readonly version: string;
  readonly pid: number;
  readonly uptimeMs: number;
}

interface SceneEvent {
  readonly second: number;
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const REFUSED = '3 health checks failed in a row, the last with: refused (ECONNREFUSED)';
const STATUS = '3 health checks failed in a row, the last with: status 503';

export const SCENE_EVENTS: readonly SceneEvent[] = [
  {
    second: 42,
    event: 'backend:stateSet',
    fields: { backend: '10.0.0.14:8080', state: 'maint', by: 'operator' },
  },
  {
    ...{ second: 96, event: 'backend:ejected' },
    fields: {
      backend: '10.0.0.12:8080',
      reason: '5 connects in a row failed, the last: timeout',
      forMs: 30_000,
    },
  },
  { second: 126, event: 'backend:trial', fields: { backend: '10.0.0.12:8080' } },
  {
    ...{ second: 128, event: 'backend:restored' },
    fields: { backend: '10.0.0.12:8080', reason: 'the session that tried it went well' },
  },
  { second: 128, event: 'backend:slowStart', fields: { backend: '10.0.0.12:8080', forMs: 300_000 } },
  {
    ...{ second: 183, event: 'backend:checkFailed' },
    fields: { backend: '10.0.0.15:8080', reason: 'status 503', inARow: 1, fall: 3 },
  },
  { second: 186, event: 'backend:down', fields: { backend: '10.0.0.15:8080', reason: STATUS } },
  { second: 204, event: 'backend:down', fields: { backend: '10.0.1.22:5432', reason: REFUSED } },
].map(each => ({
  ...each,
  fields: {
    upstream: each.fields.backend.startsWith('10.0.0.') ? 'app' : 'postgres',
    ...each.fields,
  },
}));

/** Sessions before the scene. */
const EVER = 81_204_377;

/** A number from 0 to 1 that follows from another one. */
function noise(n: number): number {
  const x = Math.sin(n * 12.9898) * 43_758.5453;
  return x - Math.floor(x);
}

/** What the balancer shows and has counted, from the first second on. */
export class Scene {
  #second = 0;
  #sessions = 0;
  readonly #cells = new Map<string, { readonly all: Float64Array; readonly counted: Cells }>();

  constructor() {
    this.#end('app', 'client', 'closed', 58_302_114);
    this.#end('app', 'backend', 'closed', 21_940_386);
    this.#end('app', 'client', 'reset', 812_905);
    this.#end('app', 'backend', 'reset', 4_310);
    this.#end('app', 'balancer', 'idle', 73_552);
    this.#end('postgres', 'client', 'closed', 70_931);
    this.#end('postgres', 'backend', 'timeout', 64, 'connect');
    this.advance();
  }

  get second(): number {
    return this.#second;
  }

  advance(): void {
    this.#second += 1;
    for (const { name, backends } of sceneAt(this.#second).upstreams)
      for (const [i, backend] of backends.entries()) this.#count(name, backend, i);
    for (const [backend, at] of [
      ['10.0.0.12:8080', 92],
      ['10.0.0.15:8080', 184],
    ] as const) {
      if (this.#second < at || this.#second >= at + 4) continue;
      this.#of(backend).counted.add(BACKEND.connectFailures, 1, 2);
      this.#end('app', 'backend', 'timeout', 1, 'connect');
    }
    if (this.#second === 259 || this.#second === 260) {
      this.#of('10.0.0.13:8080').counted.add(BACKEND.ended, ending('backend', 'reset'), 2);
      this.#end('app', 'backend', 'reset', 2);
    }
  }

  snapshot(): SceneStatus {
    const snapshot = sceneAt(this.#second);
    return { ...snapshot, sessionsEver: snapshot.sessionsEver + this.#sessions };
  }

  counters(): CounterView {
    const { listeners, upstreams } = sceneAt(this.#second);
    const counts = (name: string): Counts => new Counts(this.cells(name));
    return {
      instance: counts('instance'),
      listeners: listeners.map(({ name }) => ({ name, counts: counts(name) })),
      upstreams: upstreams.map(({ name, backends }) => ({
        name,
        counts: counts(name),
        backends: backends.map(({ backend }) => ({ backend, counts: counts(backend) })),
      })),
    };
  }

  /** What was counted so far of a listener, upstream or backend. */
  cells(name: string): Float64Array {
    return this.#of(name).all.slice();
  }

  /** A second of a backend: sessions follow from those that it has, bytes and times from both. */
  #count(upstream: string, { backend, sessions, takesSessions }: BackendView, index: number): void {
    if (!takesSessions) return;
    const { counted } = this.#of(backend);
    const second = this.#second;
    const isApp = upstream === 'app';
    const began = Math.round(sessions * (isApp ? 2.3 : 0.05) * (0.85 + 0.3 * noise(second * 7 + index)));
    const bytes = sessions * (isApp ? 61_000 : 148_000) * (0.8 + 0.4 * noise(second * 5 + index));
    const [fromBackend, fromClient] = [Math.round(bytes), Math.round(bytes / (isApp ? 14 : 6))];
    counted.add(BACKEND.connections, 0, began);
    counted.add(BACKEND.bytes, 0, fromClient);
    counted.add(BACKEND.bytes, 1, fromBackend);
    const listener = this.#of(isApp ? 'web' : 'db').counted;
    listener.add(LISTENER.bytes, 0, fromClient);
    listener.add(LISTENER.bytes, 1, fromBackend);
    // A long tail.
    for (let n = 0; n < began; n++)
      counted.note(
        BACKEND.connect,
        (0.21 + 0.05 * index) * (1 + 0.5 / (0.02 + noise(n * 31 + second)) ** 1.1 / 9),
      );
    this.#sessions += began;
    const ofBackend = Math.round(began * 0.27);
    this.#end(upstream, 'client', 'closed', began - ofBackend);
    this.#end(upstream, 'backend', 'closed', ofBackend);
  }

  #end(upstream: string, by: string, reason: string, sessions: number, phase = 'relay'): void {
    this.#of(upstream).counted.add(UPSTREAM.ended, ending(by, reason, phase), sessions);
  }

  #of(name: string) {
    let found = this.#cells.get(name);
    if (found === undefined) {
      const all = new Float64Array(BLOCK_CELLS);
      this.#cells.set(name, (found = { all, counted: new Cells(all, 0) }));
    }
    return found;
  }
}

function ending(by: string, reason: string, phase = 'relay'): number {
  return endingOf({ by, phase, reason });
}

/** The status after so many seconds, from 1 on. */
function sceneAt(second: number): SceneStatus {
  const load = 1 + 0.35 * Math.sin(second / 38) + 0.12 * noise(second);
  const down15 = second - 186;
  const app = [
    member('10.0.0.11:8080', second, { sessions: Math.round(62 * load), maxSessions: 100, weight: 2 }),
    twelve(second, load),
    member('10.0.0.13:8080', second, {
      sessions: Math.round(30 * load + 4 * noise(second + 7)),
      maxSessions: 100,
    }),
    member('10.0.0.14:8080', second, {
      ...(second < 42
        ? { sessions: Math.round(29 * load), maxSessions: 100 }
        : {
            ...{ state: 'maint', operator: 'maint', takesSessions: false, why: 'set by an operator' },
            ...{
              stateForMs: (second - 42) * 1_000,
              sessions: Math.max(0, 30 - (second - 42)),
              maxSessions: 100,
            },
          }),
    }),
    member('10.0.0.15:8080', second, {
      ...(down15 < 0
        ? { sessions: Math.round(28 * load), maxSessions: 100 }
        : {
            ...{ state: 'down', health: 'down', takesSessions: false, why: STATUS },
            ...{ stateForMs: down15 * 1_000, maxSessions: 100 },
          }),
    }),
    member('10.0.0.16:8080', second, {
      state: 'standby',
      takesSessions: false,
      backup: true,
      maxSessions: 100,
    }),
  ];
  const postgres = [
    member('10.0.1.21:5432', second, { sessions: 38 + Math.round(3 * noise(second / 9)), elsewhere: 41 }),
    member('10.0.1.22:5432', second, {
      ...(second < 204
        ? { sessions: 36, elsewhere: 40 }
        : {
            ...{ state: 'down', health: 'down', takesSessions: false, why: REFUSED },
            stateForMs: (second - 204) * 1_000,
          }),
    }),
  ];
  const upstreams: UpstreamView[] = [
    {
      ...upstreamView('app', app),
      overrides:
        second < 42 ? [] : [{ backend: '10.0.0.14:8080', what: 'state', configured: 'ready', now: 'maint' }],
    },
    { ...upstreamView('postgres', postgres), strategy: 'roundrobin' },
  ];
  const sessions = [...app, ...postgres].reduce((sum, each) => sum + each.sessions, 0);
  return {
    ...{ name: 'edge-1', version: '0.1.0', pid: 4_211, uptimeMs: 777_600_000 + second * 1_000 },
    ...snapshotWith({
      ...{ sessions, sessionsEver: EVER, maxSessions: 20_000, upstreams },
      workers: [1, 2].map(worker => ({
        worker,
        engine: 'epoll',
        state: 'running' as const,
        sessions: 0,
        sessionsEver: 0,
      })),
      listeners: [
        {
          name: 'web',
          addresses: ['0.0.0.0:443'],
          paused: false,
          pausedMs: undefined,
          engine: 'epoll',
          sessions: 0,
        },
        {
          name: 'db',
          addresses: ['10.0.0.5:5432'],
          paused: false,
          pausedMs: undefined,
          engine: 'epoll',
          sessions: 0,
        },
      ],
      mirror: {
        instance: 'edge-1',
        upstreams: ['app', 'postgres'].map(upstream => ({
          ...{
            upstream,
            mode: 'shared' as const,
            trouble: undefined,
            ageMs: 180,
            others: ['edge-2', 'edge-3'],
          },
        })),
      },
    }),
  };
}

/** Ejected, tried, and on its way back to its whole weight. */
function twelve(second: number, load: number): BackendView {
  const backend = '10.0.0.12:8080';
  const [maxSessions, sessions] = [100, Math.round(31 * load)];
  if (second < 96) return member(backend, second, { sessions, maxSessions });
  const ejection = { times: 1, forMs: 30_000 };
  const why = '5 connects in a row failed, the last: timeout';
  if (second < 126)
    return member(backend, second, {
      ...{ state: 'ejected', takesSessions: false, ejection, why, maxSessions },
      ...{ stateForMs: (second - 96) * 1_000, sessions: Math.max(0, 31 - 2 * (second - 96)) },
    });
  if (second < 128)
    return member(backend, second, { state: 'trial', ejection, why, maxSessions, stateForMs: 0 });
  const share = Math.min(1, (second - 128) / 300);
  return member(backend, second, {
    ...{ share, maxSessions, stateForMs: (second - 128) * 1_000, sessions: Math.round(sessions * share) },
  });
}

function member(backend: string, second: number, parts: Partial<BackendView>): BackendView {
  return backendView(backend, { stateForMs: 777_600_000 + second * 1_000, ...parts });
}
