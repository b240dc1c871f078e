/**
 * What the admin API answers, as schemas: openapi.ts writes them down, tests hold answers to them.
 *
 * Place: the shapes are those of model/snapshot.ts, which says more about each field.
 */
import * as z from 'zod';
import { OTHERS } from '../model/hello-plan.ts';

/** Schemas with a name of their own in the OpenAPI document. */
export const named = z.registry<{ id: string }>();

const count = z.int().min(0);
const ms = z.number().min(0);
const portion = z.number().min(0);
const operatorState = z.enum(['ready', 'drain', 'maint']);

export const problem = z
  .strictObject({ status: z.int(), title: z.string(), detail: z.string() })
  .register(named, { id: 'Problem' });

const bytes = z
  .strictObject({ client: count, backend: count })
  .describe('By the side that sent them, also of sessions that still run.');

const listenerCounts = z
  .strictObject({
    started: count.describe('Sessions that have begun.'),
    bytes,
    refused: z
      .array(
        z.strictObject({
          reason: z.string(),
          dryRun: z.boolean().describe('Let in all the same.'),
          clients: count,
        }),
      )
      .describe('Clients that gates have refused; reasons for which none was are left out.'),
  })
  .describe('Totals since the start; absent while it starts.');

const upstreamCounts = z
  .strictObject({
    ended: z
      .array(z.strictObject({ by: z.string(), phase: z.string(), reason: z.string(), sessions: count }))
      .describe('How sessions have ended.'),
    retries: count.describe('Further attempts at the same backend.'),
    redispatches: count.describe('Further attempts at another backend.'),
  })
  .describe('Totals since the start; absent while it starts.');

const backendCounts = z
  .strictObject({
    connections: count.describe('Connections that sessions got: opened for them, or parked before.'),
    connectFailures: count.describe('Attempts to connect that failed.'),
    resets: count.describe('Sessions that ended because the backend reset them.'),
    bytes,
    connect: z
      .array(z.tuple([z.int(), count]))
      .describe(
        'How long connecting took, as pairs of a bucket and how many times are in it: bucket i has those of more than 2^((i-1)/8) seconds and at most 2^(i/8); the first possible one (-104) also all shorter ones, the last (41) all longer ones. Empty ones are left out.',
      ),
  })
  .describe('Totals since the start; absent while it starts.');

export const backend = z
  .strictObject({
    backend: z.string().describe('Its configured address.'),
    state: z.enum(['up', 'standby', 'down', 'unresolved', 'ejected', 'trial', 'drain', 'maint', 'removed']),
    stateForMs: ms.describe('For how long it is in this state.'),
    why: z.string().optional().describe('Why it is in this state, in words; absent for one that is well.'),
    takesSessions: z.boolean().describe('Whether new sessions may go to it.'),
    health: z.enum(['up', 'down', 'unchecked']).describe('The verdict of its checks.'),
    operator: operatorState.describe('The state that an operator has set.'),
    agent: z
      .strictObject({
        percent: z.number(),
        maxSessions: count.optional(),
        state: operatorState,
        health: z.enum(['up', 'down']),
      })
      .optional()
      .describe("Its agent's last word."),
    backup: z.boolean(),
    ejection: z
      .strictObject({ times: count, forMs: ms })
      .optional()
      .describe('While it is out after failures of sessions.'),
    share: portion.describe('The part of its weight that slow start and agent leave.'),
    weight: count,
    maxSessions: count.optional().describe('The most sessions that it gets; absent for no limit.'),
    sessions: count.describe('Sessions that hold it now.'),
    elsewhere: count.describe('Sessions of other instances that hold it, as last received.'),
    connections: count.describe('Connections to it that are open or being opened, with spare ones.'),
    pool: z
      .strictObject({ parked: count, hits: count, misses: count })
      .describe('Spare connections, sessions that got one, and sessions that had to connect.'),
    sources: z
      .array(z.string())
      .optional()
      .describe('The sources that name it; absent: the configuration or an operator alone.'),
    counts: backendCounts.optional(),
  })
  .register(named, { id: 'Backend' });

const tls = z
  .strictObject({
    certificates: z
      .array(
        z.strictObject({
          file: z.string().describe('As it is configured.'),
          names: z.array(z.string()),
          issuer: z.string(),
          notBefore: z.string().describe('ISO 8601, UTC; `notAfter` too.'),
          notAfter: z.string(),
          daysLeft: z.int().describe('Whole days; negative once it has expired.'),
        }),
      )
      .describe('In the order in which they count; of an upstream what backends get that ask, if any.'),
    minVersion: z.string(),
    clients: z
      .strictObject({ ca: z.string(), certificate: z.enum(['required', 'optional']) })
      .optional()
      .describe('What clients have to show: the file of the authorities; absent: nothing.'),
    verify: z.boolean().optional().describe('Of an upstream: certificates have to be valid.'),
    ca: z.string().optional().describe('Of an upstream: the file of the authorities; absent: those of Node.'),
    starttls: z
      .string()
      .optional()
      .describe('The protocol in which TLS is asked for; absent: it begins at once.'),
  })
  .register(named, { id: 'Tls' });

const source = z
  .strictObject({
    source: z.string().describe('Its type and what it asks.'),
    state: z.enum(['waiting', 'answering', 'failing']),
    backends: count.describe('Backends that count because of it.'),
    held: count.describe('Of these, the ones that it does not name any more and that stay for a moment.'),
    answeredAgoMs: ms
      .optional()
      .describe('Since its last answer that could be used; absent: there was none.'),
    why: z.string().optional().describe('Why it fails.'),
    failingForMs: ms.optional(),
  })
  .register(named, { id: 'Source' });

export const upstream = z
  .strictObject({
    name: z.string(),
    strategy: z.string(),
    mode: z.enum(['normal', 'backups', 'panic', 'down']),
    queue: z.strictObject({ waiting: count, max: count, longestMs: ms }),
    limit: z
      .strictObject({ sessions: count, max: count })
      .optional()
      .describe('Sessions that have a backend, and the most that may over all of them; absent for no limit.'),
    retryBudget: z
      .strictObject({ left: count })
      .describe('Further attempts that the retry budget allows now.'),
    tls: tls.optional().describe('TLS to the backends; absent: there is none.'),
    backends: z.array(backend),
    counts: upstreamCounts.optional(),
    sources: z
      .array(source)
      .optional()
      .describe('Where backends come from, besides the configuration; absent: from nowhere.'),
    overrides: z
      .array(
        z.strictObject({
          backend: z.string(),
          what: z.enum(['added', 'removed', 'weight', 'state']),
          configured: z.union([z.number(), z.string()]).optional(),
          now: z.union([z.number(), z.string()]).optional(),
        }),
      )
      .describe('What operators have changed and the configuration says otherwise.'),
  })
  .register(named, { id: 'Upstream' });

const rate = z.string().describe('New sessions in a second, minute or hour, such as `50/s`.');
const eachLimit = z.strictObject({
  sessions: count.optional(),
  rate: rate.optional(),
  burst: count.optional(),
  ipv4Prefix: count,
  ipv6Prefix: count,
  clients: count,
});
const bandwidth = z
  .strictObject({ fromClient: count.optional(), fromBackend: count.optional() })
  .describe('Bytes per second.');

const listener = z
  .strictObject({
    name: z.string(),
    addresses: z.array(z.string()),
    stopped: z
      .boolean()
      .optional()
      .describe('It does not listen, because its upstream has no backend. Absent: false.'),
    paused: z.boolean().describe('New clients wait, because a limit is reached.'),
    pausedMs: ms.optional(),
    sessions: count,
    engine: z.string().describe('The engine that serves it: `node` where it needs TLS.'),
    sni: z
      .strictObject({
        routes: z.array(
          z.strictObject({
            match: z.array(z.string()).describe('Names; empty: any, and none.'),
            alpn: z.array(z.string()).describe('Protocols; empty: any, and none.'),
            upstream: z.string(),
          }),
        ),
        others: z.enum(OTHERS).describe('What becomes of clients that no route has.'),
      })
      .optional()
      .describe('Where TLS clients go by what they send first; absent: that is not looked at.'),
    limits: z
      .strictObject({
        dryRun: z
          .boolean()
          .optional()
          .describe('True: those of clients and networks, and `rate`, only count. Absent: false.'),
        maxSessions: count.optional(),
        rate: rate.optional(),
        burst: count.optional(),
        perClient: eachLimit.optional(),
        perNetwork: eachLimit.optional(),
        bandwidth: bandwidth.optional(),
        perSession: z.strictObject({ bandwidth: bandwidth.optional() }).optional(),
      })
      .optional()
      .describe('Its limits as configured; absent: it has none.'),
    tls: tls.optional().describe('TLS that ends here; absent: it does not.'),
    counts: listenerCounts.optional(),
  })
  .register(named, { id: 'Listener' });

const worker = z
  .strictObject({
    worker: count,
    engine: z.string(),
    state: z.enum(['running', 'stalled', 'restarting']),
    sessions: count,
    sessionsEver: count,
    silentMs: ms
      .optional()
      .describe(
        'For how long it has given no sign of life, to half a second; absent while it is started again.',
      ),
  })
  .register(named, { id: 'Worker' });

const mirror = z
  .strictObject({
    instance: z.string(),
    upstreams: z.array(
      z.strictObject({
        upstream: z.string(),
        mode: z.enum(['shared', 'local']),
        trouble: z.strictObject({ reason: z.string(), message: z.string() }).optional(),
        ageMs: ms.optional(),
        others: z.array(z.string()),
      }),
    ),
  })
  .register(named, { id: 'Mirror' });

const lastReload = z
  .strictObject({
    at: z.string().describe('When it ended: ISO 8601, UTC.'),
    agoMs: ms,
    trigger: z.enum(['signal', 'watch', 'api']),
    file: z.string().optional(),
    ok: z.boolean().describe('`false`: the configuration is as before.'),
    changes: count,
    changed: z.array(z.string()).describe('The first of them, in words.'),
    reason: z.enum(['refused', 'invalid', 'needsUpgrade', 'failed']).optional().describe('Why it failed.'),
    problems: z.array(z.string()).describe('The first of its problems, in words.'),
    problemsInAll: count,
  })
  .register(named, { id: 'LastReload' });

const configuration = z
  .strictObject({
    file: z.string().optional(),
    noReload: z.string().optional().describe('Why it cannot be reloaded; absent: it can.'),
  })
  .register(named, { id: 'Configuration' });

const logView = z
  .strictObject({
    log: z.enum(['log', 'access']),
    destination: z.string(),
    linesLost: count.describe('Lines that have not arrived, since the start.'),
    brokenAs: z.string().optional().describe('The destination takes no lines now: why.'),
  })
  .register(named, { id: 'Log' });

const processView = z
  .strictObject({
    openDescriptors: count.optional(),
    descriptorLimit: count.optional().describe('Descriptors that it may open; absent for no limit.'),
    sourcePorts: count
      .optional()
      .describe('Source ports that the system has for connections to one address.'),
  })
  .register(named, { id: 'Process' });

export const status = z
  .strictObject({
    name: z.string().describe('The name of the instance.'),
    version: z.string(),
    pid: count,
    uptimeMs: ms,
    state: z.enum(['new', 'starting', 'running', 'leaving', 'draining', 'stopped']),
    ready: z.boolean().describe('It takes new clients and is meant to go on.'),
    engine: z.string(),
    sessions: count.describe('Sessions that run now.'),
    sessionsEver: count,
    maxSessions: count.optional().describe('Sessions that can run at once; absent for no limit.'),
    workers: z.array(worker),
    listeners: z.array(listener),
    upstreams: z.array(upstream),
    mirror: mirror.optional().describe('Where counts are shared with other instances.'),
    configuration: configuration.optional().describe('Where the configuration comes from.'),
    lastReload: lastReload.optional().describe('The last reload that was no dry run.'),
    process: processView.optional().describe('What the system gives the process.'),
    logs: z.array(logView).optional().describe('The log, and an access log with a destination of its own.'),
  })
  .register(named, { id: 'Status' });
