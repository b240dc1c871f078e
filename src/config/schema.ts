/**
 * The configuration: every key with its type, default, range and meaning. The one source of the types, the
 * validation, schema/lb4.schema.json and docs/configuration.md (`node dist/scripts/generate.js`).
 *
 * Place: parse.ts applies it. What concerns two keys at once (unique names, existing upstreams) is in
 * cross-checks.ts. Invariants: every key is described; every limit is bounded; unknown keys are errors; a
 * parsed Config holds milliseconds and parsed addresses, and is frozen.
 */
import { z } from 'zod';
import { STRATEGY_NAMES } from '../../strategies/index.ts';
import { formatAddress } from '../support/address.ts';
import {
  backendAddress,
  backendText,
  bindAddress,
  duration,
  fieldFacts,
  integer,
  list,
  name,
  oneOf,
  reference,
  section,
  WEIGHT,
  yesOrNo,
} from './fields.ts';

const MS = 1;
const SECOND = 1000 * MS;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** Timers in Node end at 24.8 days; a week is far below and long enough. */
const WEEK = 168 * HOUR;
const SHORTEST = 10 * MS;
const MOST_SESSIONS = 1_000_000;
const MOST_WORKERS = 64;

const STRATEGY_PATH = /^(\.{0,2}\/.+|.+\.m?js)$/;
const STRATEGY_EXPECTED = `one of ${STRATEGY_NAMES.join(', ')}, or a path such as ./my-strategy.js`;

const strategy = z
  .string({ error: STRATEGY_EXPECTED })
  .superRefine((text, context) => {
    if (STRATEGY_NAMES.some(known => known === text) || STRATEGY_PATH.test(text)) return;
    context.addIssue({ code: 'custom', message: STRATEGY_EXPECTED, params: { known: STRATEGY_NAMES } });
  })
  .meta({ anyOf: [{ enum: STRATEGY_NAMES }, { type: 'string', pattern: STRATEGY_PATH.source }] })
  .register(fieldFacts, { type: 'name or path', range: STRATEGY_NAMES.join(', ') });

const maxSessions = () => integer(1, MOST_SESSIONS).optional();

const listener = section({
  name: name().describe('Names the listener in logs and events. Unique.'),
  bind: z
    .union([bindAddress(), list(bindAddress(), 'addresses', 64)], {
      error: 'an address such as 0.0.0.0:443, or a list of them',
    })
    .transform(bind => ('kind' in bind ? [bind] : bind))
    .readonly()
    .register(fieldFacts, { type: 'address or list of addresses', range: '1 to 64 addresses' })
    .describe(
      'Where clients connect: `host:port`, `[v6]:port`, `:port` (every local address, IPv6 and IPv4) or `unix:/path`. Port 0 lets the system choose.',
    ),
  upstream: reference('an upstream').describe('The upstream that serves the clients of this listener.'),
  limits: section({
    maxSessions: maxSessions().describe(
      'Sessions at a time through this listener. Absent: no limit of its own.',
    ),
  })
    .prefault({})
    .describe('Limits of this listener.'),
  timeouts: section({
    idle: duration(SHORTEST, WEEK, 'none')
      .prefault('10m')
      .describe('Ends a session when no byte has moved in either direction for this long.'),
    halfClosed: duration(SHORTEST, WEEK, 'none')
      .prefault('60s')
      .describe('Ends a session when one side has finished sending and the other is silent for this long.'),
    lifetime: duration(SHORTEST, WEEK, 'none')
      .prefault('0s')
      .describe('Ends a session this long after it began, whatever it is doing.'),
  })
    .prefault({})
    .describe('When sessions end by themselves.'),
  whenUnavailable: oneOf(['reset', 'close', 'http503'])
    .default('reset')
    .describe(
      'What a client gets when no backend can take it: a TCP reset, a clean close, or an HTTP 503 response.',
    ),
});

const weight = () =>
  integer(WEIGHT.min, WEIGHT.max)
    .default(1)
    .describe('Its share of the sessions, relative to the other backends. 0: no new sessions.');

const backend = z
  .union(
    [
      backendText().transform(({ id, address, weight }) => ({ id, address, weight, maxSessions: undefined })),
      section({
        address: backendAddress().describe(
          'Where the backend listens: `host:port`, `[v6]:port` or `unix:/path`.',
        ),
        weight: weight(),
        maxSessions: maxSessions().describe('Sessions at a time on this backend. Absent: no limit.'),
      }).transform(({ address, weight, maxSessions }) => ({
        id: formatAddress(address),
        address,
        weight,
        maxSessions,
      })),
    ],
    { error: 'a backend such as 10.0.0.1:80, 10.0.0.1:80@2 or { address: 10.0.0.1:80, weight: 2 }' },
  )
  .readonly()
  .register(fieldFacts, { type: 'text or mapping' })
  .describe(
    'One backend: `10.0.0.1:80`, `10.0.0.1:80@2` (weight 2), or a mapping. Unique within its upstream.',
  );

const healthCheck = section({
  type: oneOf(['tcp', 'off'])
    .default('tcp')
    .describe(
      '`tcp`: a backend is well when it accepts a connection. `off`: no checks, always taken as well.',
    ),
  interval: duration(SHORTEST, HOUR).prefault('2s').describe('Time between two checks of a backend.'),
  timeout: duration(SHORTEST, 10 * MINUTE)
    .prefault('2s')
    .describe('A check that takes longer has failed.'),
  rise: integer(1, 100).default(2).describe('Checks passed in a row that bring a backend back.'),
  fall: integer(1, 100).default(3).describe('Checks failed in a row that take a backend out.'),
});

const HEALTH_OFF = healthCheck.parse({ type: 'off' });

const upstream = section({
  name: name().describe('Names the upstream in listeners, logs and events. Unique.'),
  strategy: strategy
    .default('leastconn')
    .describe(
      'How a backend is chosen for a session. A path (starting with `./`, `../` or `/`, or ending in `.js` or `.mjs`) loads your own strategy.',
    ),
  backends: list(backend, 'backends', 10_000).describe('The backends of this upstream.'),
  health: z
    .union([z.literal('off'), z.literal(false), healthCheck], {
      error: '"off", or a mapping such as { type: tcp, interval: 2s }',
    })
    .transform(health => (typeof health === 'object' ? health : HEALTH_OFF))
    .register(fieldFacts, { type: 'mapping or `off`' })
    .prefault({})
    .describe('Active health checks. `off` is short for `{ type: off }`.'),
  connect: section({
    timeout: duration(SHORTEST, 5 * MINUTE)
      .prefault('5s')
      .describe('How long a connection to a backend may take to open.'),
    attempts: integer(1, 10)
      .default(3)
      .describe('Different backends tried for one session before giving up.'),
  })
    .prefault({})
    .describe('Connecting to backends.'),
  pool: section({
    warm: integer(0, 1000)
      .default(0)
      .describe('Spare connections held open to each backend, each given to one session only.'),
    maxIdle: duration(SHORTEST, HOUR)
      .prefault('5s')
      .describe(
        'A spare connection older than this is replaced, one left clean is closed. Keep it below the idle timeout of the backend.',
      ),
    reuse: yesOrNo()
      .default(false)
      .describe(
        'When a client has closed cleanly and nothing is under way, give the connection to another client. Only for protocols without connection state, in which the client speaks first: otherwise one client gets what belongs to another (a login, a transaction, a late answer). See [what can leak](../pool/README.md#reuse-what-can-leak-and-where-it-is-safe). Refused together with `sendProxy` or `tls` of the same upstream.',
      ),
  })
    .prefault({})
    .describe('Connections that are kept open to each backend.'),
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
    maxSessions: maxSessions().describe('Sessions at a time in this instance. Absent: no limit.'),
  })
    .prefault({})
    .describe('Limits of the whole instance.'),
  drainTimeout: duration(SHORTEST, WEEK, 'not waiting')
    .prefault('30s')
    .describe('How long running sessions may go on after a stop was asked for; then they are reset.'),
  engine: oneOf(['auto', 'node', 'epoll'])
    .default('auto')
    .describe(
      'What moves the bytes. `epoll`: fastest, Linux only. `node`: any system. `auto`: `epoll` where it runs, else `node`.',
    ),
  workers: z
    .union([z.literal('auto'), integer(0, MOST_WORKERS)], {
      error: `auto, or an integer from 0 to ${MOST_WORKERS}`,
    })
    .register(fieldFacts, { type: '`auto` or integer', range: `0 to ${MOST_WORKERS}` })
    .default('auto')
    .describe(
      'Threads that take sessions. `auto`: one per core, none where the system lacks what they need. 0: the main thread does it, with the `node` engine.',
    ),
  log: section({
    level: oneOf(['error', 'warn', 'info', 'debug'])
      .default('info')
      .describe('The least important level shown.'),
    format: oneOf(['text', 'json']).optional().describe('Absent: `text` on a terminal, else `json`.'),
    access: yesOrNo().default(false).describe('One line per finished session.'),
  })
    .prefault({})
    .describe('What lb4 writes to standard error.'),
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
