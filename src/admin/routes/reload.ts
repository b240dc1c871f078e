/** The route that reloads the configuration file. */
import * as z from 'zod';
import { counted } from '../../support/counted.ts';
import { Problem } from '../problem.ts';
import { route } from '../route.ts';

/** Unless that program says it better. */
export const NO_RELOAD = 'the program that runs it offers no reload';

const problem = z.looseObject({ text: z.string() });
const report = z.looseObject({
  ok: z.literal(true),
  dryRun: z.boolean(),
  at: z.string(),
  changes: z.array(z.looseObject({ kind: z.enum(['added', 'removed', 'changed']), text: z.string() })),
  warnings: z.array(problem),
});

export const reloadRoutes = [
  route({
    method: 'POST',
    path: '/api/v1/reload',
    summary: 'Reads the configuration file again and applies it whole, or not at all.',
    body: z.strictObject({
      dryRun: z.boolean({ error: 'true or false' }).optional().describe('Only say what would change.'),
    }),
    answers: {
      200: { means: 'What has changed, or would change.', schema: report },
      404: { means: 'The program that runs this lb4 cannot reload.' },
      422: { means: 'Nothing was changed: `detail` has every problem.' },
    },
    handle: async ({ body: { dryRun = false }, caller }, { reload, noReload, logChange }) => {
      if (reload === undefined)
        throw new Problem(404, `this lb4 cannot reload its configuration: ${noReload ?? NO_RELOAD}`);
      const outcome = await reload(dryRun);
      if (!outcome.ok) throw new Problem(422, outcome.problems.map(({ text }) => text).join('; '));
      if (!dryRun)
        logChange(caller, `reload: ${counted(outcome.changes.length, 'change')}`, { what: 'reload' });
      return { status: 200, body: outcome };
    },
  }),
];
