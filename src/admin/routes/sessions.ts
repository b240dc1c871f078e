/** Routes that show and end sessions. */
import * as z from 'zod';
import type { SessionFilter, SessionView } from '../../model/session-view.ts';
import { formatAddress, parseAddress } from '../../support/address.ts';
import { duration, network, numeral, size, text } from '../fields.ts';
import { Problem, quotable } from '../problem.ts';
import { route } from '../route.ts';
import { named } from '../schemas.ts';

const LIMIT = 1_000;
const MOST = 100_000;

const filters = {
  listener: text('the name of a listener').optional(),
  upstream: text('the name of an upstream').optional(),
  backend: text('the address of a backend').optional(),
  client: network().optional().describe("The client's IP address, or its network."),
  olderThan: duration().optional(),
  moreBytesThan: size().optional().describe('Bytes of both ways together.'),
};

const limit = numeral(1, MOST).optional().describe(`The most sessions; ${LIMIT} unless given.`);

const session = z
  .strictObject({
    id: z.string(),
    listener: z.string(),
    upstream: z.string(),
    backend: z.string().optional().describe('Absent while it has none.'),
    clientAddress: z.string().describe('Empty for a client of a unix socket.'),
    clientPort: z.int(),
    serverName: z
      .string()
      .optional()
      .describe('The host that a TLS client wants to reach; absent: not known.'),
    tlsVersion: z.string().optional().describe('Where the listener ends TLS, such as `TLSv1.3`.'),
    alpn: z.string().optional().describe('The protocol that its client has agreed on.'),
    clientCertificate: z
      .string()
      .optional()
      .describe("The name in the client's certificate, which was verified."),
    phase: z.enum(['admission', 'queue', 'connect', 'relay']),
    startedAt: z.string().describe('ISO 8601, UTC.'),
    ageMs: z.number(),
    bytesFromClient: z.int(),
    bytesFromBackend: z.int(),
  })
  .register(named, { id: 'Session' });

const ended = { means: 'How many were ended.', schema: z.strictObject({ ended: z.int() }) };

type Filters = z.output<z.ZodObject<typeof filters>>;

function filterOf({ olderThan, backend, ...same }: Filters, nowMs: number): SessionFilter {
  const parsed = backend === undefined ? undefined : parseAddress(backend);
  return {
    ...same,
    // Whichever form of the address is used.
    ...(backend === undefined ? {} : { backend: parsed?.ok ? formatAddress(parsed.address) : backend }),
    ...(olderThan === undefined ? {} : { startedBeforeMs: nowMs - olderThan }),
  };
}

export const sessionRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/sessions',
    summary: 'Sessions that run, in no order: those that match every filter.',
    query: z.strictObject({ ...filters, limit }),
    answers: {
      200: {
        means: 'The sessions; `more`: there are others that match.',
        schema: z.strictObject({ sessions: z.array(session), more: z.boolean() }),
      },
    },
    handle: async ({ query: { limit: most = LIMIT, ...rest } }, { balancer, wallClock }) => {
      const now = wallClock();
      const found = await balancer.sessions({ ...filterOf(rest, now), limit: most + 1 });
      const sessions = found.slice(0, most).map(view => sessionOf(view, now));
      return { status: 200, body: { sessions, more: found.length > most } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/sessions',
    summary: 'Resets the sessions that match every filter; at least one is needed.',
    query: z.strictObject({ ...filters, limit }),
    answers: { 200: ended },
    handle: async (
      { query: { limit: most = LIMIT, ...rest }, caller },
      { balancer, wallClock, logChange },
    ) => {
      const given = Object.entries(rest);
      if (given.length === 0)
        throw new Problem(400, `name at least one of ${Object.keys(filters).join(', ')}`);
      const count = await balancer.endSessions({ ...filterOf(rest, wallClock()), limit: most });
      const which = given.map(([key, value]) => `${key} ${value}`).join(', ');
      logChange(caller, `sessions ended: ${count}, of those with ${which}`, {
        what: 'sessions',
        which,
        ended: count,
      });
      return { status: 200, body: { ended: count } };
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/v1/sessions/{id}',
    summary: 'Resets one session.',
    answers: { 200: ended, 404: { means: 'No session of this id runs.' } },
    handle: async ({ params: { id = '' }, caller }, { balancer, logChange }) => {
      const [before] = await balancer.sessions({ id, limit: 1 });
      const count = await balancer.endSessions({ id, limit: 1 });
      if (count === 0) throw new Problem(404, `no session ${JSON.stringify(quotable(id))} runs`);
      const { upstream, backend } = before ?? {};
      logChange(caller, `session ${id} ended`, { what: 'session', session: id, upstream, backend, ended: 1 });
      return { status: 200, body: { ended: count } };
    },
  }),
];

function sessionOf({ startedAtMs, ...view }: SessionView, nowMs: number): z.output<typeof session> {
  const startedAt = new Date(startedAtMs).toISOString();
  return { ...view, startedAt, ageMs: Math.max(0, Math.round(nowMs - startedAtMs)) };
}
