/**
 * The configuration of an upstream: its backends, and how they are chosen, checked, connected to and protected.
 *
 * Place: a part of schema.ts. Rules about two keys at once are in cross-checks.ts.
 */
import * as z from 'zod';
import { STRATEGY_NAMES } from '../../../strategies/index.ts';
import { formatAddress } from '../../support/address.ts';
import { KEY_BY_FORM, parseKeyBy } from '../key-by.ts';
import { backups } from './backups-schema.ts';
import {
  backendAddress,
  backendText,
  duration,
  fieldFacts,
  integer,
  name,
  oneOf,
  section,
  WEIGHT,
  yesOrNo,
} from './fields.ts';
import { connectWhen } from './connect-when-schema.ts';
import { discovery, MOST_BACKENDS, removed } from './discovery-schema.ts';
import { agentCheck, HEALTH_OFF, healthCheck } from './health-schema.ts';
import { HOUR, maxSessions, MINUTE, MOST_SESSIONS, SECOND, SHORTEST, WEEK } from './limits-of-values.ts';

import { sendProxy } from './proxy-schema.ts';
import {
  connectInterface,
  dscp,
  keepalive,
  mptcp,
  noDelay,
  receiveBuffer,
  sendBuffer,
  source,
  userTimeout,
} from './socket-schema.ts';
import { upstreamTls } from './tls-schema.ts';

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

const FACTOR_FORM = 'a number from 1 to 100 such as 1.25, or "off"';
const factor = () => z.number({ error: FACTOR_FORM }).min(1, { error: FACTOR_FORM }).max(100, { error: FACTOR_FORM });

const keyBy = () =>
  z
    .string({ error: KEY_BY_FORM })
    .refine(text => parseKeyBy(text) !== undefined, { error: KEY_BY_FORM })
    .meta({ pattern: '^(client|clientIp|clientPrefix(:[0-9]{1,2}/[0-9]{1,3})?|sni|proxyTlv:[0-9]{1,3}|proxyTlv:0[xX][0-9a-fA-F]{1,2})$' })
    .register(fieldFacts, { type: 'text', range: '`client`, `clientPrefix`, `clientPrefix:V4/V6`, `sni`, `proxyTlv:N`' });

export const weight = () =>
  integer(WEIGHT.min, WEIGHT.max)
    .default(1)
    .describe('Share of the sessions, relative to the weights of the other backends. 0: no new sessions.');

export const backend = z
  .union(
    [
      backendText().transform(({ id, address, weight }) => ({
        id,
        address,
        weight,
        maxSessions: undefined,
        backup: false,
      })),
      section({
        address: backendAddress().describe(
          'Where the backend listens: `host:port`, `[v6]:port`, `unix:/path`, or on Linux `unix:@name`.',
        ),
        weight: weight(),
        maxSessions: maxSessions().describe('Most sessions at a time on this backend. Default: no limit.'),
        backup: yesOrNo()
          .default(false)
          .describe('Gets sessions only when no other backend can take them: see `backups`.'),
      }).transform(({ address, weight, maxSessions, backup }) => ({
        id: formatAddress(address),
        address,
        weight,
        maxSessions,
        backup,
      })),
    ],
    { error: 'a backend such as 10.0.0.1:80, 10.0.0.1:80@2 or { address: 10.0.0.1:80, weight: 2 }' },
  )
  .readonly()
  .register(fieldFacts, { type: 'text or mapping' })
  .describe(
    'One backend: `10.0.0.1:80`, `10.0.0.1:80@2` (weight 2), or a mapping. Unique within its upstream.',
  );

const BACKENDS = `a list of 1 to ${MOST_BACKENDS} backends`;

const ejection = section({
  failures: integer(1, 1000)
    .default(5)
    .describe('Failures in a row, over all workers, that take a backend out.'),
  base: duration(SHORTEST, HOUR)
    .prefault('5s')
    .describe('How long a backend is out the first time; each further time is twice as long.'),
  max: duration(SHORTEST, HOUR)
    .prefault('60s')
    .describe(
      'The longest that a backend is out. A backend that has been back for this long starts from `base` again.',
    ),
  maxPercent: integer(1, 100)
    .default(50)
    .describe('At most this percentage of the backends is out at a time, and never the last one.'),
  earlyClose: duration(SHORTEST, MINUTE, 'not counting them')
    .prefault('0s')
    .describe(
      'A session that its backend ends within this time without having sent a byte counts as a failure.',
    ),
});

/** A number that no count of failures reaches. */
const EJECTION_OFF = { ...ejection.parse({}), failures: Infinity };

export const upstream = section({
  name: name().describe('Names the upstream in listeners, logs and events. Unique.'),
  strategy: strategy
    .default('leastconn')
    .describe(
      'How a backend is chosen for a session. A path (starting with `./`, `../` or `/`, or ending in `.js` or `.mjs`) loads your own strategy.',
    ),
  hashBy: keyBy()
    .default('client')
    .describe(
      'By what `iphash`, or a strategy of your own, tells clients apart. `client`: the IP address. `clientPrefix`: the network that this is in, of 24 bits for IPv4 and 64 for IPv6, or as many as `clientPrefix:V4/V6` says. `sni`: the name of the host that a TLS client wants to reach, where the listener has `sni` or the upstream `connectWhen: tlsHello`. `proxyTlv:N`: the value of the TLV of this type in the PROXY protocol header (`acceptProxy`), such as `proxyTlv:2` for the server name; without one, the IP address.',
    ),
  balanceFactor: z
    .union([z.literal('off'), z.literal(false), factor()], { error: FACTOR_FORM })
    .transform(value => (value === false ? 'off' : value))
    .register(fieldFacts, { type: 'number or `off`', range: '1 to 100' })
    .default('off')
    .describe(
      '`iphash`: no backend gets more sessions than this times the average of its weight, rounded up; a client of one that has as many gets the next one of its own order. 1.25 to 2 is usual: the less, the more clients are not at their own backend. `off`: no bound.',
    ),
  backends: z
    .array(backend, { error: BACKENDS })
    .max(MOST_BACKENDS, { error: BACKENDS })
    .readonly()
    .register(fieldFacts, { type: 'list', range: `1 to ${MOST_BACKENDS} elements, or none beside \`discovery\`` })
    .default([])
    .describe('The backends of this upstream.'),
  discovery,
  removed,
  health: z
    .union([z.literal('off'), z.literal(false), healthCheck], {
      error: '"off", or a mapping such as { type: tcp, interval: 2s }',
    })
    .transform(health => (typeof health === 'object' ? health : HEALTH_OFF))
    .register(fieldFacts, { type: 'mapping or `off`' })
    .prefault({})
    .describe('Active health checks. `off` is short for `{ type: off }`.'),
  agent: agentCheck
    .optional()
    .describe(
      'Asks an agent on each backend for its state, as `agent-check` of HAProxy does: the answer sets the weight (`75%`), a limit (`maxconn:30`) and the state (`up`, `down#why`, `drain`, `maint`, `ready`). Default: off.',
    ),
  ejection: z
    .union([z.literal('off'), z.literal(false), ejection], {
      error: '"off", or a mapping such as { failures: 5, base: 5s }',
    })
    .transform(value => (typeof value === 'object' ? value : EJECTION_OFF))
    .register(fieldFacts, { type: 'mapping or `off`' })
    .prefault({})
    .describe(
      'Takes a backend out for a while after failures of live sessions, whatever the health checks say. `off`: never.',
    ),
  panicBelow: z
    .union([integer(0, 100), z.literal('off'), z.literal(false)], {
      error: 'an integer from 0 to 100, or "off"',
    })
    .transform(value => (value === false ? 'off' : value))
    .register(fieldFacts, { type: 'integer or `off`', range: '0 to 100' })
    .default(0)
    .describe(
      'When less than this percentage of the backends is well, health and ejection are ignored and all backends get sessions. 0: only when none is well. `off`: never; clients are refused while none is well.',
    ),
  backups,
  slowStart: duration(SHORTEST, HOUR, 'none')
    .prefault('0s')
    .describe(
      'A backend that has recovered or joined gets 10 % of its weight and `maxSessions` at first, and all of it after this time. It does not apply at the start of lb4, nor while there is no other backend.',
    ),
  whenDown: oneOf(['keep', 'reset'])
    .default('keep')
    .describe(
      'What happens to the sessions of a backend that goes down. `keep`: they go on. `reset`: they are reset, some at a time.',
    ),
  leaveBackups: oneOf(['keep', 'reset'])
    .default('keep')
    .describe(
      'What happens to the sessions on backups when another backend is well again. `keep`: they go on. `reset`: they are reset, some at a time, so that their clients come back to the others.',
    ),
  sticky: section({
    by: keyBy()
      .default('client')
      .describe(
        'What identifies a client, as `hashBy` does. `clientIp` is the older word for `client`.',
      ),
    ttl: duration(SECOND, WEEK)
      .prefault('30m')
      .describe('A client that has not connected for this long is forgotten.'),
    max: integer(1, 10_000_000)
      .default(100_000)
      .describe(
        'Most clients that are remembered; beyond that the one that connected longest ago is forgotten.',
      ),
  })
    .optional()
    .describe(
      'Sends a client to the backend it had before, whatever the strategy says, while that backend gets sessions. Default: off.',
    ),
  queue: section({
    max: integer(0, MOST_SESSIONS)
      .default(1024)
      .describe(
        'Most sessions that wait at a time while every backend, or the upstream as a whole, is at its `maxSessions`. 0: none waits; they are refused.',
      ),
    timeout: duration(SHORTEST, 10 * MINUTE)
      .prefault('5s')
      .describe(
        'A session that has waited for this long is refused, as `whenUnavailable` of its listener says.',
      ),
  })
    .prefault({})
    .describe('Waiting for a backend with room, first come first served.'),
  limits: section({
    maxSessions: maxSessions().describe(
      'Most sessions at a time over all backends of this upstream; further ones wait in the `queue`. Default: no limit of its own.',
    ),
  })
    .prefault({})
    .describe('Limits of the whole upstream.'),
  connect: section({
    timeout: duration(SHORTEST, 5 * MINUTE)
      .prefault('5s')
      .describe('How long a connection to a backend may take to open.'),
    attempts: integer(1, 10)
      .optional()
      .describe(
        'Most backends that a session tries in one round: this many that are well, then this many backups that stand by, then this many that are not well. Default: every backend that is well and every backup that stands by; of those that are not well every one whose last connection did not fail, or 3.',
      ),
    retriesPerBackend: integer(0, 10)
      .default(0)
      .describe('How often the same backend is tried again before the next one.'),
    retryDelay: duration(SHORTEST, MINUTE, 'at once')
      .prefault('10ms')
      .describe('Pause before the same backend is tried again.'),
    rounds: integer(1, 10)
      .default(1)
      .describe('How often all attempts are made, with a pause after each round. 1: no repetition.'),
    backoff: duration(SHORTEST, MINUTE)
      .prefault('100ms')
      .describe(
        'The first pause between rounds, lengthened at random by up to half; each further pause is twice as long, up to 10s.',
      ),
    deadline: duration(SHORTEST, 10 * MINUTE, 'none')
      .prefault('0s')
      .describe('The longest that all attempts of a session may take together.'),
    retryBudget: section({
      percent: integer(0, 1000)
        .default(20)
        .describe('Further attempts allowed, in percent of first attempts.'),
      minPerSecond: integer(0, 100_000)
        .default(10)
        .describe(
          'Further attempts allowed each second in addition. Unused ones are saved up for ten seconds.',
        ),
    })
      .prefault({})
      .describe(
        'Bounds further attempts, over all sessions of the upstream, at backends that are not well and have just failed, so that retries do not overload them. An attempt at a backend that is well is never counted.',
      ),
  })
    .prefault({})
    .describe('Connecting to backends.'),
  connectWhen,
  keepalive: keepalive('backends'),
  userTimeout: userTimeout(),
  noDelay: noDelay(),
  sendBuffer: sendBuffer('backends'),
  receiveBuffer: receiveBuffer('backends'),
  dscp: dscp('backends'),
  interface: connectInterface,
  mptcp: mptcp(),
  source,
  pool: section({
    warm: integer(0, 1000)
      .default(0)
      .describe('Spare connections held open to each backend, each given to one session only.'),
    maxIdle: duration(SHORTEST, HOUR)
      .prefault('5s')
      .describe(
        'A spare connection older than this is replaced; one that a session left clean is closed. Keep this below the idle timeout of the backend.',
      ),
    reuse: yesOrNo()
      .default(false)
      .describe(
        'Gives the connection of a client that has closed cleanly, with nothing under way, to another client. Only for protocols without connection state in which the client speaks first: otherwise one client gets what belongs to another (a login, a transaction, a late answer). See [what can leak](../pool/README.md#reuse-what-can-leak-and-where-it-is-safe).',
      ),
  })
    .prefault({})
    .describe('Connections that are kept open to each backend for sessions to come.'),
  sendProxy,
  tls: upstreamTls,
}).superRefine(({ backends, discovery: sources }, context) => {
  if (backends.length > 0 || sources !== undefined) return;
  context.addIssue({ code: 'custom', message: BACKENDS, path: ['backends'] });
});
