/** Routes that change the instance as a whole. */
import * as z from 'zod';
import { duration } from '../fields.ts';
import { Problem } from '../problem.ts';
import { route } from '../route.ts';

export const instanceRoutes = [
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
