/** The route that Prometheus scrapes. */
import * as z from 'zod';
import { CONTENT_TYPES, type MetricFormat } from '../../observe/metrics/exposition.ts';
import { metricsPieces, type MetricsInput } from '../../observe/metrics/metrics.ts';
import { text } from '../fields.ts';
import { findUpstream } from '../find-upstream.ts';
import { Problem } from '../problem.ts';
import { route, type RouteDeps } from '../route.ts';

export const metricsRoutes = [
  route({
    method: 'GET',
    path: '/metrics',
    summary: "Metrics in Prometheus' text format; in that of OpenMetrics where the request accepts it.",
    query: z.strictObject({
      upstream: text('the name of an upstream').optional().describe('Leaves out the series of others.'),
      exclude: text('names of metrics, separated by commas')
        .optional()
        .describe('Leaves out these metrics; a `*` at the end of a name stands for any rest.'),
    }),
    answers: {
      200: { means: 'The metrics.', schema: z.string(), type: 'text/plain' },
      404: { means: 'There is no upstream of this name.' },
      503: { means: 'It is still starting.' },
    },
    handle: async ({ query: { upstream, exclude = '' }, accept }, deps) => {
      const format: MetricFormat = /application\/openmetrics-text/i.test(accept) ? 'openmetrics' : 'text';
      const names = exclude.split(',').map(name => name.trim());
      const rendering = await deps.scrapes.next(JSON.stringify([format, upstream, names]), () =>
        metricsPieces(inputOf(deps, upstream), { format, upstream, exclude: names }),
      );
      return {
        stream: response => {
          const headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
          response.writeHead(200, { ...headers, 'content-type': CONTENT_TYPES[format] });
          return rendering.sendTo(response);
        },
      };
    },
  }),
];

/** All of it at one moment. */
function inputOf(
  { balancer, figures, about, wallClock }: RouteDeps,
  upstream: string | undefined,
): MetricsInput {
  const snapshot = balancer.snapshot();
  const counters = balancer.counters();
  if (counters === undefined) throw new Problem(503, `lb4 is ${snapshot.state}`);
  if (upstream !== undefined) findUpstream(snapshot.upstreams, upstream);
  return { snapshot, counters, process: figures?.(), version: about.version, nowMs: wallClock() };
}
