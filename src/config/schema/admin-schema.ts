/**
 * The keys of `admin`: where an instance can be asked and changed while it runs, and by which clients.
 *
 * Place: a part of schema.ts. The command line opens what is configured here; the library ignores it.
 */
import { bindAddress, fieldFacts, list, oneOf, section, text } from './fields.ts';
import * as z from 'zod';

const HOST = 'a host name without a port';

const hostName = () =>
  z
    .string({ error: HOST })
    .regex(/^(?!-)[a-z0-9.-]{1,253}$/i, { error: HOST })
    .register(fieldFacts, { type: 'host name' });

export const adminSection = section({
  socket: oneOf(['auto', 'off'])
    .default('auto')
    .describe(
      'The unix socket for commands such as `lb4 status`, which only the user that runs lb4 can open. `auto`: `$XDG_RUNTIME_DIR/lb4/NAME.sock`, or `/run/lb4/NAME.sock` for root.',
    ),
  bind: bindAddress()
    .optional()
    .describe(
      'Another address of the admin API: `host:port`, `[v6]:port`, `:port` or `unix:/path`. An address that other machines can reach needs `tokenFile`. Default: none.',
    ),
  tokenFile: text(4096)
    .optional()
    .describe(
      'A file with the token that clients of a TCP address have to send. Default: none is needed. A relative path starts at the folder of the configuration file.',
    ),
  hosts: list(hostName(), 'host names', 64)
    .optional()
    .describe(
      'Names of this machine that clients of a TCP address may use, besides IP addresses, `localhost`, the host of `bind` and the name of the machine.',
    ),
  readyNeeds: oneOf(['listeners', 'upstream'])
    .default('listeners')
    .describe(
      'When `/readyz` reports that lb4 is ready. `listeners`: it does not drain, and at least one listener listens (`stopWhenDown`). `upstream`: also every upstream has a backend that takes sessions.',
    ),
});
