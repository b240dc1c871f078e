/** Routes that change the instance as a whole. */
import * as z from 'zod';
import { duration } from '../fields.ts';
import { Problem } from '../problem.ts';
import { route } from '../route.ts';

export const instanceRoutes = [
  route({
    method: 'POST',
    path: '/api/v1/upgrade',
    summary: 'Starts the lb4 that is installed now, hands the listening sockets to it, and drains.',
    body: z.strictObject({}),
    answers: {
      200: {
        means: 'The other process has taken over; this one drains. The answer comes when it is ready.',
        schema: z.strictObject({ pid: z.int(), version: z.string() }),
      },
      404: { means: 'The program that runs this lb4 cannot upgrade.' },
      409: { means: 'No process was started: `detail` says why. Nothing has changed.' },
      422: { means: 'The other process has not become ready: `detail` says why. Nothing has changed.' },
    },
    handle: async ({ caller }, { upgrade, logChange }) => {
      if (upgrade === undefined) throw new Problem(404, 'this lb4 cannot start another one');
      logChange(caller, 'upgrade asked for', { what: 'upgrade' });
      const outcome = await upgrade();
      if (!outcome.ok)
        throw new Problem(outcome.reason === 'refused' ? 409 : 422, outcome.problems.join('; '));
      const { pid, version } = outcome;
      return { status: 200, body: { pid, version } };
    },
  }),
  route({
    method: 'POST',
    path: '/api/v1/drain',
    summary: 'Ends lb4 as SIGTERM does: no new clients, and running sessions have time to end.',
    body: z.strictObject({
      timeout: duration().optional().describe('How long sessions have; `drainTimeout` unless given.'),
    }),
    answers: {
      202: {
        means: 'It drains; so it did already, if it was asked before.',
        schema: z.strictObject({ state: z.string(), sessions: z.int() }),
      },
      409: { means: 'It is still starting.' },
    },
    handle: ({ body: { timeout }, caller }, { balancer, drain, logChange }) => {
      const before = balancer.snapshot();
      if (before.state === 'new' || before.state === 'starting')
        throw new Problem(409, `lb4 is ${before.state}`);
      if (before.state === 'running') {
        logChange(caller, `drain asked for, with ${before.sessions} sessions`, {
          ...{ what: 'drain', before: before.state, sessions: before.sessions, timeoutMs: timeout },
        });
        drain(timeout);
      }
      const { state, sessions } = balancer.snapshot();
      return { status: 202, body: { state, sessions } };
    },
  }),
];
