/** Control's model of one upstream over a clock that is moved by hand, with everything it tells. */
import { FakeClock } from './fake-clock.ts';
import { parseConfig } from '../../src/config/source/parse.ts';
import type { BackendConfig, ConfigInput } from '../../src/config/schema/schema.ts';
import type { ConnectFailure } from '../../src/engine/engine.ts';
import { EVENT_NAMES, Events } from '../../src/model/events.ts';
import { ControlledState } from '../../src/shared-memory/shared-state.ts';
import type { BackendPlan, UpstreamPlan } from '../../src/model/upstream-plan.ts';
import { Upstream } from '../../src/control/upstream/upstream.ts';

type UpstreamInput = ConfigInput['upstreams'][number];

/** `10.0.0.1:80` is backend 1, and so on. */
export const id = (number: number): string => `10.0.0.${number}:80`;

/** `backends`: how many, or as in a configuration. */
export function createModel(
  backends: number | NonNullable<UpstreamInput['backends']>,
  input: Partial<Omit<UpstreamInput, 'backends' | 'name'>> = {},
) {
  const list =
    typeof backends === 'number' ? Array.from({ length: backends }, (_, i) => id(i + 1)) : backends;
  const parsed = parseConfig({
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [{ name: 'app', ...input, backends: list }],
  });
  const config = parsed.ok ? parsed.config.upstreams[0] : undefined;
  if (config === undefined) throw new Error(JSON.stringify(parsed));
  const clock = new FakeClock(5_000);
  const events = new Events();
  const told: string[] = [];
  for (const name of EVENT_NAMES) {
    events.on(name, event => {
      const { backend = '', ...rest } = event as Record<string, unknown>;
      delete rest['upstream'];
      told.push([name, backend, ...Object.values(rest)].filter(part => part !== '').join(' '));
    });
  }
  const shared = new ControlledState({ slots: list.length + 8 });
  const published: UpstreamPlan[] = [];
  /** `settled` resolves when data planes have applied what was published: at once, unless a test says otherwise. */
  const data = { settled: (): Promise<void> => Promise.resolve() };
  const upstream = new Upstream(config, {
    ...{ shared, events, now: clock.now, random: () => 0, setTimer: clock.setTimer },
    publish: snapshot => published.push(snapshot),
    settled: () => data.settled(),
  });
  const slotOf = (backend: string): number => shared.slotOfBackend('app', backend).index;
  const find = (backend: string): BackendPlan | undefined =>
    published.at(-1)?.backends.find(each => each.id === backend);
  return {
    data,
    upstream,
    clock,
    shared,
    published,
    slotOf,
    /** What was told since the last call, as `name backend values`. */
    told: () => told.splice(0),
    /** The last snapshot's entry. */
    find,
    /** Waits until what has happened in this turn is published. */
    turn: () => new Promise(resolve => setImmediate(() => setImmediate(resolve))),
    /** Those that get sessions, by number. */
    takers: () =>
      (published.at(-1)?.backends ?? []).filter(({ eligible }) => eligible).map(each => numberOf(each.id)),
    status: (backend: string) => upstream.status().backends.find(each => each.backend === backend),
    /** A session could not connect to it. */
    connectFailed: (backend: string, reason: ConnectFailure['reason'], code: string) =>
      upstream.hear({
        kind: 'connectFailed',
        upstream: config.name,
        backend,
        failure: { reason, code },
        times: 1,
      }),
    /** The session that tried it has an answer. */
    trialEnded: (backend: string, failure?: string) =>
      upstream.hear({ kind: 'trialEnded', upstream: config.name, backend, failure }),
    queueing: (isQueueing: boolean) => upstream.hear({ kind: 'queueing', upstream: config.name, isQueueing }),
    /** Failures as data planes count and report them. */
    fail: (backend: string, kind: 'connect' | 'earlyClose' = 'connect', times = 5) => {
      for (let i = 0; i < times; i++) shared.failures.failed(slotOf(backend), kind);
      upstream.hear({ kind: 'backendFailing', upstream: config.name, backend, cause: kind });
    },
  };
}

function numberOf(backend: string): number {
  return Number(/\.(\d+):/.exec(backend)?.[1]);
}

/** A backend as configured, all by default. */
export function backendOf(backend: string): BackendConfig {
  const [host = '', port] = backend.split(':');
  return {
    ...{ id: backend, address: { kind: 'tcp', host, port: Number(port) } },
    ...{ weight: 1, maxSessions: undefined, backup: false },
  };
}
