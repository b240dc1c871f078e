/**
 * What every request needs, put together: routes, gatekeeper, log of changes.
 *
 * Place: loaded with the first client (admin-server.ts).
 */
import type { AdminServerDeps } from './admin-server.ts';
import { Gatekeeper, type Caller } from './caller.ts';
import type { DispatchDeps } from './dispatch.ts';
import { routes } from './routes.ts';

export function createDispatchDeps({ port, rules, log, wallClock, uptimeMs }: AdminServerDeps): DispatchDeps {
  return {
    ...port,
    ...{ routes, log, wallClock, uptimeMs },
    gatekeeper: new Gatekeeper(rules),
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
