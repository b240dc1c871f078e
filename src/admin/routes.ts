/** The table of routes: everything that the admin API has. */
import type { Route } from './route.ts';
import { backendRoutes } from './routes/backends.ts';
import { instanceRoutes } from './routes/instance.ts';
import { reloadRoutes } from './routes/reload.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { statusRoutes } from './routes/status.ts';

export const routes: readonly Route[] = [
  ...statusRoutes,
  ...backendRoutes,
  ...sessionRoutes,
  ...instanceRoutes,
  ...reloadRoutes,
];
