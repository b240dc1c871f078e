/**
 * Routes that change the backends of an upstream while it runs.
 *
 * Invariant: a request that is refused has changed nothing.
 */
import * as z from 'zod';
import type { Caller } from '../caller.ts';
import type { BackendView, UpstreamView } from '../../model/snapshot.ts';
import { OPERATOR_STATES } from '../../model/words.ts';
import { formatAddress, parseAddress } from '../../support/address.ts';
import { duration, flag, integer } from '../fields.ts';
import { findUpstream } from '../find-upstream.ts';
import type { Balanced } from '../port.ts';
import { Problem, quotable } from '../problem.ts';
import { route } from '../route.ts';
import { backend as backendSchema } from '../schemas.ts';

const PATH = '/api/v1/upstreams/{upstream}/backends/{backend}';
const weight = () => integer(0, 256).describe('Its share; 0: no new sessions.');
const unknown = { 404: { means: 'There is no such upstream or backend.' } };
const wrongState = { 409: { means: 'lb4 is not running, or the backend cannot become what is asked for.' } };
const shown = { means: 'The backend as it is now.', schema: backendSchema };

const change = z
  .strictObject({
    state: z
      .enum(OPERATOR_STATES, { error: `one of ${OPERATOR_STATES.join(', ')}` })
      .optional()
      .describe('`drain`: no new sessions. `maint`: no checks either.'),
    weight: weight().optional(),
  })
  .refine(({ state, weight }) => state !== undefined || weight !== undefined, {
    error: 'a state or a weight',
  });

const registration = z.strictObject({
  weight: weight().optional(),
  maxSessions: integer(1, 1_000_000).optional().describe('The most sessions that it gets at a time.'),
  backup: z.boolean({ error: 'true or false' }).optional(),
  ttl: duration(1_000, 3_600_000)
    .optional()
    .describe(
      'After this time without another PUT the backend gets no new sessions, and after twice this time it is gone. For upstreams with a `registration` source, and callers with a token or at the unix socket.',
    ),
});

export const backendRoutes = [
  route({
    method: 'GET',
    path: PATH,
    summary: 'One backend.',
    answers: { 200: shown, ...unknown },
    handle: ({ params }, { balancer }) => ({ status: 200, body: backendAt(balancer, params) }),
  }),
  route({
    method: 'PUT',
    path: PATH,
    summary:
      'Adds a backend, or changes the weight of one that is there. With `ttl` the backend registers itself; repeating it is the heartbeat.',
    body: registration,
    answers: {
      200: shown,
      201: { ...shown, means: 'It was added.' },
      ...{ ...unknown, ...wrongState },
      422: {
        means: 'It is an address of this lb4: sessions would come back to it for ever. Nothing has changed.',
      },
    },
    handle: async ({ params, body, caller }, { balancer, refusal, logChange, untilSettled }) => {
      const { upstream = '', backend = '' } = params;
      const { ttl: ttlMs, ...parts } = body;
      const { backends, sources } = findUpstream(balancer.snapshot().upstreams, upstream);
      const before = find(backends, backend);
      const isNew = before === undefined || before.state === 'removed';
      if (ttlMs !== undefined) expectRegistrar(upstream, sources, caller);
      if (isNew) {
        const why = refusal?.(upstream, backend);
        if (why !== undefined) throw new Problem(422, why);
      }
      if (!isNew && ttlMs !== undefined) {
        balancer.addBackend(upstream, { address: backend, ...parts }, { ttlMs });
        return { status: 200, body: backendAt(balancer, params) };
      }
      if (isNew) {
        balancer.addBackend(upstream, { address: backend, ...parts }, { ttlMs });
        const after = backendAt(balancer, params);
        logChange(caller, `backend ${after.backend} of ${upstream}: added, weight ${after.weight}`, {
          ...{ upstream, backend: after.backend, what: 'added', after: after.weight },
        });
        await untilSettled();
        return { status: 201, body: after };
      }
      expectSame('maxSessions', parts.maxSessions, before.maxSessions);
      expectSame('backup', parts.backup, before.backup);
      const { weight } = parts;
      if (weight !== undefined && weight !== before.weight) {
        balancer.setBackendWeight(upstream, backend, weight);
        logChange(...changed(caller, upstream, before.backend, 'weight', before.weight, weight));
        await untilSettled();
      }
      return { status: 200, body: backendAt(balancer, params) };
    },
  }),
  route({
    method: 'PATCH',
    path: PATH,
    summary: 'Changes the state or the weight of a backend.',
    body: change,
    answers: { 200: shown, ...unknown, ...wrongState },
    handle: async ({ params, body: { state, weight }, caller }, { balancer, logChange, untilSettled }) => {
      const { upstream = '', backend = '' } = params;
      const before = memberAt(balancer, params);
      if (state !== undefined) balancer.setBackendState(upstream, backend, state);
      if (weight !== undefined) balancer.setBackendWeight(upstream, backend, weight);
      if (state !== undefined)
        logChange(...changed(caller, upstream, before.backend, 'state', before.operator, state));
      if (weight !== undefined)
        logChange(...changed(caller, upstream, before.backend, 'weight', before.weight, weight));
      await untilSettled();
      return { status: 200, body: backendAt(balancer, params) };
    },
  }),
  route({
    method: 'DELETE',
    path: PATH,
    summary: 'Removes a backend: it gets no new sessions, and is gone with its last one.',
    query: z.strictObject({ force: flag().optional().describe('Reset its sessions now.') }),
    answers: {
      200: {
        means: 'It is removed; `sessions` are still to end.',
        schema: z.strictObject({ upstream: z.string(), backend: z.string(), sessions: z.int() }),
      },
      ...unknown,
      ...wrongState,
    },
    handle: async ({ params, query: { force = false }, caller }, { balancer, logChange, untilSettled }) => {
      const { upstream = '', backend: address = '' } = params;
      const { backend, sessions, weight } = memberAt(balancer, params);
      balancer.removeBackend(upstream, address, { resetSessions: force });
      const how = force ? 'removed, its sessions reset' : 'removed';
      logChange(caller, `backend ${backend} of ${upstream}: ${how}, with ${sessions} sessions`, {
        ...{ upstream, backend, what: 'removed', before: weight, sessions, force },
      });
      await untilSettled();
      return { status: 200, body: { upstream, backend, sessions: force ? 0 : sessions } };
    },
  }),
];

/** Throws a `Problem` where backends cannot register themselves, or this caller may not do it for them. */
function expectRegistrar(upstream: string, sources: UpstreamView['sources'], { via }: Caller): void {
  if (sources?.some(({ source }) => source === 'registration') !== true) {
    const detail = `upstream ${upstream} has no discovery source of type registration: no ttl is possible`;
    throw new Problem(409, detail);
  }
  if (via === 'address')
    throw new Problem(
      403,
      'backends register themselves with a token only: admin.tokenFile of the configuration',
    );
}

type Change = Parameters<Parameters<(typeof backendRoutes)[number]['handle']>[1]['logChange']>;

function changed(
  caller: Change[0],
  upstream: string,
  backend: string,
  what: 'state' | 'weight',
  before: string | number,
  after: string | number,
): Change {
  const message = `backend ${backend} of ${upstream}: ${what} ${before} → ${after}`;
  return [caller, message, { upstream, backend, what, before, after }];
}

/** What cannot be changed while it runs may be repeated. */
function expectSame(
  key: string,
  wanted: number | boolean | undefined,
  is: number | boolean | undefined,
): void {
  if (wanted === undefined || wanted === is) return;
  const now = is === undefined ? 'not set' : String(is);
  throw new Problem(
    409,
    `${key} of a backend that is there cannot be changed (it is ${now}): remove it first`,
  );
}

type Params = Readonly<Record<string, string>>;

function backendAt(balancer: Balanced, { upstream = '', backend = '' }: Params): BackendView {
  const found = find(findUpstream(balancer.snapshot().upstreams, upstream).backends, backend);
  if (found !== undefined) return found;
  throw new Problem(404, `upstream ${upstream} has no backend ${quotable(backend)}`);
}

/** One that is not removed already. */
function memberAt(balancer: Balanced, params: Params): BackendView {
  const found = backendAt(balancer, params);
  if (found.state !== 'removed') return found;
  throw new Problem(404, `backend ${found.backend} is removed already; sessions left: ${found.sessions}`);
}

/** A member, or one that was removed, whichever form of its address is used. */
function find(backends: readonly BackendView[], backend: string): BackendView | undefined {
  const parsed = parseAddress(backend);
  const id = parsed.ok ? formatAddress(parsed.address) : backend;
  const named = backends.filter(each => each.backend === id);
  return named.find(({ state }) => state !== 'removed') ?? named[0];
}
