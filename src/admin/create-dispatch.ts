/**
 * What every request needs, put together: routes, gatekeeper, log of changes.
 *
 * Place: loaded with the first client (admin-server.ts).
 */
import { within } from '../support/timer.ts';
import type { AdminServerDeps } from './admin-server.ts';
import { Gatekeeper, type Caller } from './caller.ts';
import type { DispatchDeps } from './dispatch.ts';
import type { EventRing } from './events/event-ring.ts';
import { EventStreams, MOST_STREAMS } from './events/event-streams.ts';
import { dashboardRoutes } from './routes/dashboard.ts';
import { statusOf } from './routes/status.ts';
import { routes } from './routes.ts';
import { Scrapes } from './scrapes.ts';

/** A worker that stands still follows when it moves again: no answer waits for that. */
const SETTLED_MS = 1_000;

export function createDispatchDeps(deps: AdminServerDeps, ring: EventRing): DispatchDeps {
  const { port, rules, mostClients, log, setTimer, wallClock, uptimeMs } = deps;
  const status = (): ReturnType<typeof statusOf> => statusOf({ ...port, uptimeMs, wallClock });
  // The other half is for requests.
  const mostStreams = Math.min(Math.floor(mostClients / 2), MOST_STREAMS);
  return {
    ...port,
    ...{ routes: [...routes, ...dashboardRoutes], log, wallClock, uptimeMs },
    streams: new EventStreams({ ring, mostStreams, status, log, setTimer, wallClock, uptimeMs }),
    scrapes: new Scrapes(),
    gatekeeper: new Gatekeeper(rules),
    untilSettled: () => within(port.balancer.settled(), SETTLED_MS, setTimer),
    logChange: (caller, message, fields) => {
      const { via, address } = caller;
      log.write('info', 'adminChange', `${message} (${whoIs(caller)})`, { ...fields, via, address });
    },
  };
}

function whoIs({ via, address }: Caller): string {
  if (via === 'socket') return 'through the unix socket';
  return via === 'token' ? `with the token, from ${address}` : `from ${address}`;
}
