/** The table of routes: everything that the admin API has. */
import * as z from 'zod';
import { openApiOf } from './openapi.ts';
import { route, type Route } from './route.ts';
import { backendRoutes } from './routes/backends.ts';
import { eventRoutes } from './routes/events.ts';
import { instanceRoutes } from './routes/instance.ts';
import { metricsRoutes } from './routes/metrics.ts';
import { reloadRoutes } from './routes/reload.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { statusRoutes } from './routes/status.ts';

export const routes: readonly Route[] = [
  ...statusRoutes,
  ...backendRoutes,
  ...sessionRoutes,
  ...instanceRoutes,
  ...reloadRoutes,
  ...eventRoutes,
  ...metricsRoutes,
  route({
    method: 'GET',
    path: '/api/v1/openapi.json',
    summary: 'This API, as an OpenAPI 3.1 document.',
    answers: { 200: { means: 'The document.', schema: z.looseObject({ openapi: z.string() }) } },
    handle: (_, { about }) => ({ status: 200, body: openApiOf(routes, about.version) }),
  }),
];
