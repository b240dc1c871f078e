/** The table of routes: everything that the admin API has. */
import type { Route } from './route.ts';
import { statusRoutes } from './routes/status.ts';

export const routes: readonly Route[] = [...statusRoutes];
