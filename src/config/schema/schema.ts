/**
 * The configuration: every key with its type, default, range and meaning. The one source of the types, the
 * validation, schema/lb4.schema.json and docs/configuration.md (`node dist/scripts/generate.js`).
 *
 * Place: parse.ts applies it. Rules about two keys at once (unique names, existing upstreams) are in cross-checks.ts.
 * Invariants:
 * - Every key is described; every limit is bounded; unknown keys are errors.
 * - A parsed Config holds milliseconds and parsed addresses, and is frozen.
 */
import * as z from 'zod';
import {
  duration,
  fieldFacts,
  fraction,
  integer,
  list,
  name,
  oneOf,
  percent,
  reference,
  section,
  yesOrNo,
} from './fields.ts';
import { MAX_WORKERS } from '../../support/cores.ts';
import { logSection } from './log-schema.ts';
import { listenerLimits } from './limits-schema.ts';
import { maxSessions, SECOND, SHORTEST, WEEK } from './limits-of-values.ts';
import { adminSection } from './admin-schema.ts';
import { access, dryRun, whenDenied } from './access-schema.ts';
import { acceptProxy } from './proxy-schema.ts';
import { sni } from './sni-schema.ts';
import { listenerTls } from './tls-schema.ts';
import { redisSection } from './redis-schema.ts';
import { bind } from './bind-schema.ts';
import {
  backlog,
  deferAccept,
  dscp,
  freebind,
  keepalive,
  listenFastOpen,
  listenInterface,
  mptcp,
  noDelay,
  receiveBuffer,
  sendBuffer,
  userTimeout,
} from './socket-schema.ts';
import { upstream } from './upstream-schema.ts';

const OF_TCP = [
  ...(['deferAccept', 'sendBuffer', 'receiveBuffer', 'dscp', 'interface'] as const),
  ...(['freebind', 'fastOpen', 'mptcp'] as const),
] as const;

const listener = section({
  name: name().describe('Names the listener in logs and events. Unique.'),
  bind,
  upstream: reference('an upstream').describe('The upstream that serves the clients of this listener, but for those that `sni` sends elsewhere.'),
  limits: listenerLimits.prefault({}).describe('Limits of this listener. See [limits](limits.md).'),
  sni,
  tls: listenerTls,
  timeouts: section({
    idle: duration(SHORTEST, WEEK, 'none')
      .prefault('1h')
      .describe(
        'Ends a session when for this long no byte has moved in either direction, and no receiver has taken any.',
      ),
    halfClosed: duration(SHORTEST, WEEK, 'none')
      .prefault('60s')
      .describe(
        'Ends a session when one side has finished sending, the other is silent, and no receiver has taken any byte for this long.',
      ),
    lifetime: duration(SHORTEST, WEEK, 'none')
      .prefault('0s')
      .describe('Ends a session this long after it began, whatever it is doing.'),
    lifetimeJitter: percent()
      .prefault('0%')
      .describe(
        'Lengthens `lifetime` of each session at random by up to this part, so that sessions that began together do not end together.',
      ),
  })
    .prefault({})
    .describe('When sessions end by themselves.'),
  keepalive: keepalive('clients'),
  userTimeout: userTimeout(),
  deferAccept: deferAccept(),
  noDelay: noDelay(),
  backlog,
  sendBuffer: sendBuffer('clients'),
  receiveBuffer: receiveBuffer('clients'),
  dscp: dscp('clients'),
  interface: listenInterface,
  freebind,
  fastOpen: listenFastOpen,
  mptcp: mptcp(),
  acceptProxy,
  stopWhenDown: yesOrNo()
    .default(false)
    .describe(
      'Does not listen while no backend of the upstream is well, backups included, so that what stands in front sends its clients elsewhere; listens again when one is. See [when no backend is well](failing-backends.md#when-no-backend-is-well).',
    ),
  access,
  whenDenied,
  dryRun,
  whenUnavailable: oneOf(['reset', 'close', 'http503'])
    .default('reset')
    .describe(
      'What a client gets when no backend can take it. `reset`: a TCP reset. `close`: a clean close. `http503`: an HTTP 503 response.',
    ),
}).superRefine((listener, context) => {
  if (listener.bind.some(({ kind }) => kind === 'tcp')) return;
  for (const key of OF_TCP) {
    if (listener[key] === undefined || listener[key] === 0 || listener[key] === false) continue;
    const message = `no ${key}, because unix sockets have none`;
    context.addIssue({ code: 'custom', message, path: [key] });
  }
});

/** The whole configuration. */
export const configSchema = section({
  $schema: z
    .string({ error: 'the address of a JSON Schema' })
    .optional()
    .register(fieldFacts, { type: 'text' })
    .describe('For editors; ignored.'),
  listeners: list(listener, 'listeners', 1000).describe('Where clients connect.'),
  upstreams: list(upstream, 'upstreams', 1000).describe('Named groups of backends.'),
  limits: section({
    maxSessions: maxSessions().describe(
      'Most sessions at a time in this instance; further clients wait. Default: what the limit of file descriptors allows.',
    ),
  })
    .prefault({})
    .describe('Limits of the whole instance.'),
  drainTimeout: duration(SHORTEST, WEEK, 'not waiting')
    .prefault('30s')
    .describe('How long running sessions may go on after SIGTERM or `drain()`; then they are reset.'),
  drain: section({
    delay: duration(SHORTEST, WEEK, 'none')
      .prefault('0s')
      .describe(
        'How long lb4 still accepts clients after SIGTERM or `drain()`, while it reports that it is not ready. Then `drainTimeout` begins.',
      ),
    spread: fraction()
      .default(0.2)
      .describe(
        'The last part of `drainTimeout` over which sessions are reset one after the other, silent ones first. 0: all are reset at its end.',
      ),
  })
    .prefault({})
    .describe('How lb4 leaves its clients.'),
  name: name()
    .default('default')
    .describe('Names this instance: its admin socket, and what the admin API reports.'),
  admin: adminSection.prefault({}).describe('How a running lb4 is asked and changed.'),
  engine: oneOf(['auto', 'node', 'epoll'])
    .default('auto')
    .describe(
      'What moves the bytes. `epoll`: fastest, Linux only. `node`: any system. `auto`: `epoll` where it runs, else `node`. Listeners that need TLS, their own or that of an upstream, are served by `node` in any case, beside `epoll` for the others.',
    ),
  workers: z
    .union([z.literal('auto'), integer(0, MAX_WORKERS)], {
      error: `auto, or an integer from 0 to ${MAX_WORKERS}`,
    })
    .register(fieldFacts, { type: '`auto` or integer', range: `0 to ${MAX_WORKERS}` })
    .default('auto')
    .describe(
      'Threads that take sessions. `auto`: one per core that the process may use (affinity and the CPU quota of a container count), none where the system lacks what workers need. 0: the main thread takes sessions, with the `node` engine. Where the engine is `epoll`, listeners that need TLS get as many workers again.',
    ),
  workerStallTimeout: duration(SECOND, WEEK, 'never')
    .prefault('30s')
    .describe(
      'A worker whose thread has been blocked for this long is ended and started again; its sessions are reset.',
    ),
  redis: redisSection
    .optional()
    .describe(
      'Shares the counts of live sessions with other instances through Redis, for `leastconn`, `p2c` and `ewma`. Default: off.',
    ),
  log: logSection.prefault({}).describe('What lb4 reports while it runs, and where that goes.'),
}).transform((config): Omit<typeof config, '$schema'> => {
  const copy = { ...config };
  delete copy.$schema;
  return Object.freeze(copy);
});

/** A checked configuration: defaults filled in, durations in milliseconds, addresses parsed. */
export type Config = z.output<typeof configSchema>;
/** What a user writes; durations are text such as `5s`, or milliseconds. */
export type ConfigInput = z.input<typeof configSchema>;

export type UpstreamConfig = Config['upstreams'][number];
/** One backend as a user writes it. */
export type BackendInput = NonNullable<ConfigInput['upstreams'][number]['backends']>[number];
/** `drains`: its source wants no new sessions for it; never by the configuration itself. */
export type BackendConfig = UpstreamConfig['backends'][number] & { readonly drains?: true };
export type HealthConfig = UpstreamConfig['health'];
export type RedisConfig = NonNullable<Config['redis']>;
export type AgentConfig = NonNullable<UpstreamConfig['agent']>;
