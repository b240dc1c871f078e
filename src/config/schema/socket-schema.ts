/**
 * Keys about sockets that listeners and upstreams share, and those of listeners alone.
 *
 * Place: a part of schema.ts and upstream-schema.ts. What this system has not is found by composition/socket-problems.ts.
 */
import { isIP } from 'node:net';
import * as z from 'zod';
import { parseAddress } from '../../support/address.ts';
import { duration, fieldFacts, integer, section, yesOrNo } from './fields.ts';
import { HOUR, MINUTE, SECOND, SHORTEST } from './limits-of-values.ts';
import { size } from './size-field.ts';

/** Linux takes at most 32,767 seconds. */
const LONGEST_KEEPALIVE = 9 * HOUR;
const MOST_PROBES = 127;

const probes = section({
  idle: duration(SECOND, LONGEST_KEEPALIVE)
    .prefault('60s')
    .describe('How long a connection is quiet before the kernel sends the first probe to its peer.'),
  interval: duration(SECOND, LONGEST_KEEPALIVE)
    .prefault('10s')
    .describe('Time between two probes while no answer comes.'),
  count: integer(1, MOST_PROBES)
    .default(6)
    .describe('How many probes may go unanswered before the connection counts as broken.'),
});

/** @param whose 'clients' or 'backends' */
export const keepalive = (whose: string) =>
  z
    .union([z.literal('off'), z.literal(false), probes], {
      error: '"off", or a mapping such as { idle: 60s, interval: 10s, count: 6 }',
    })
    .transform(value => (typeof value === 'object' ? value : undefined))
    .register(fieldFacts, { type: 'mapping or `off`' })
    .prefault({})
    .describe(
      `TCP keepalive towards ${whose}: a session whose peer has vanished with its machine ends, as if that peer had reset it. Times count in whole seconds, rounded up. \`off\`: no probes.`,
    );

export const userTimeout = () =>
  duration(SHORTEST, HOUR, "the system's own")
    .prefault('0s')
    .describe(
      'How long sent bytes may stay unacknowledged before the connection breaks (TCP_USER_TIMEOUT; it also bounds keepalive). By default the system decides: about 15 minutes on Linux. Needs koffi.',
    );

/** For listeners only. */
export const deferAccept = () =>
  duration(SECOND, MINUTE, 'letting them in at once')
    .prefault('0s')
    .describe(
      'A client is let in with its first bytes, or after this long without any (TCP_DEFER_ACCEPT): a client that only connects costs neither a session nor a backend. Only for protocols in which the client speaks first, such as HTTP, TLS, Redis and PostgreSQL: where the server does (MySQL, SMTP, SSH), every client waits this long for its greeting. Linux rounds up to 1, 3, 7, 15, 31 or 63 seconds. Needs Linux and koffi. Unix sockets let clients in at once.',
    );

export const noDelay = () =>
  yesOrNo()
    .default(true)
    .describe(
      'Small writes leave at once (TCP_NODELAY). `false`: they may wait until what was sent before is acknowledged (Nagle), which saves packets and costs time.',
    );

/** The smallest that Linux gives; and far more than any path needs. */
const BUFFER = { min: 4 * 1024, max: 1024 * 1024 * 1024 } as const;
const FIXED = 'Default: the system lets it grow as the path needs, which is better on nearly every path. Needs koffi.';

/** @param whose 'clients' or 'backends' */
export const sendBuffer = (whose: string) =>
  size(BUFFER.min, BUFFER.max)
    .optional()
    .describe(
      `Size of the kernel's buffer for what is sent to ${whose} (SO_SNDBUF; Linux caps it at net.core.wmem_max). ${FIXED}`,
    );

/** @param whose 'clients' or 'backends' */
export const receiveBuffer = (whose: string) =>
  size(BUFFER.min, BUFFER.max)
    .optional()
    .describe(
      `Size of the kernel's buffer for what ${whose} send (SO_RCVBUF; Linux caps it at net.core.rmem_max). ${FIXED}`,
    );

/** Names of classes (RFC 2474, 2597, 3246, 5865, 8622). */
const CLASSES: ReadonlyMap<string, number> = new Map([
  ...[0, 1, 2, 3, 4, 5, 6, 7].map(i => [`CS${i}`, i * 8] as const),
  ...[1, 2, 3, 4].flatMap(i => [1, 2, 3].map(drop => [`AF${i}${drop}`, i * 8 + drop * 2] as const)),
  ...([['EF', 46], ['VA', 44], ['LE', 1]] as const),
]);
const DSCP_EXPECTED = 'an integer from 0 to 63, or a class such as EF, AF41 or CS1';

/** @param whose 'clients' or 'backends' */
export const dscp = (whose: string) =>
  z
    .union([integer(0, 63), z.string({ error: DSCP_EXPECTED })], { error: DSCP_EXPECTED })
    .transform((value, context) => {
      const number = typeof value === 'number' ? value : CLASSES.get(value.toUpperCase());
      if (number !== undefined) return number;
      context.addIssue({ code: 'custom', message: DSCP_EXPECTED });
      return z.NEVER;
    })
    .register(fieldFacts, { type: 'integer or name', range: '0 to 63, or `EF`, `VA`, `LE`, `CS0` to `CS7`, `AF11` to `AF43`' })
    .optional()
    .describe(
      `Marks packets to ${whose} for routers that have classes of service (DSCP; in IPv4 TOS, in IPv6 the traffic class). Default: not marked. Needs koffi.`,
    );

/** A name that the kernel takes (at most 15 bytes). */
const INTERFACE = /^(?!\.{1,2}$)[!-.0-9;-~]{1,15}$/;
const INTERFACE_EXPECTED = 'the name of an interface such as eth0, of at most 15 characters';

const interfaceName = () =>
  z
    .string({ error: INTERFACE_EXPECTED })
    .regex(INTERFACE, { error: INTERFACE_EXPECTED })
    .register(fieldFacts, { type: 'text', range: '1 to 15 characters' })
    .optional();

export const mptcp = () =>
  yesOrNo()
    .default(false)
    .describe(
      'Multipath TCP: a connection may use several paths at once, where the peer has it, too; with others it is TCP as ever. Needs Linux with net.mptcp.enabled, and koffi.',
    );

/** Of listeners. */
export const listenInterface = interfaceName().describe(
  'Lets in only clients that come through this interface or VRF (SO_BINDTODEVICE), whatever its addresses are. Default: through any. Needs Linux and koffi.',
);

/** Of upstreams. */
export const connectInterface = interfaceName().describe(
  'Connects through this interface or VRF (SO_BINDTODEVICE), whatever the routes are. Default: as the routes say. Checks use it, too. Needs Linux and koffi.',
);

export const backlog = integer(1, 1_000_000)
  .optional()
  .describe(
    'Clients that may wait in the queue of each address and worker until they are let in. Default: as many as the system allows (net.core.somaxconn on Linux, which also caps this).',
  );

export const listenFastOpen = integer(0, 1_000_000)
  .default(0)
  .describe(
    'TCP Fast Open: this many clients at a time may send their first bytes with their SYN, and save a round trip. A network may repeat a SYN: only for protocols in which the first bytes may arrive twice. 0: off. Needs Linux with 2 in net.ipv4.tcp_fastopen, and koffi.',
  );

export const freebind = yesOrNo()
  .default(false)
  .describe(
    'Binds addresses that no interface has yet, such as one that VRRP moves here later (IP_FREEBIND). Needs Linux and koffi.',
  );

const SOURCE_EXPECTED = 'a list of 1 to 64 IP addresses of this machine, such as [10.0.0.100, 10.0.0.101], or client';

const sourceAddress = z
  .string({ error: 'an IP address' })
  .transform((text, context) => {
    const parsed = parseAddress(text.includes(':') ? `[${text}]:1` : `${text}:1`);
    if (parsed.ok && parsed.address.kind === 'tcp' && isIP(parsed.address.host) !== 0) return parsed.address.host;
    context.addIssue({ code: 'custom', message: 'an IP address of this machine, such as 10.0.0.100' });
    return z.NEVER;
  })
  .register(fieldFacts, { type: 'IP address' });

/** Of upstreams. */
export const source = z
  .union(
    [
      z.literal('client'),
      z
        .array(sourceAddress, { error: SOURCE_EXPECTED })
        .min(1, { error: SOURCE_EXPECTED })
        .max(64, { error: SOURCE_EXPECTED })
        .refine(all => new Set(all).size === all.length, { error: 'a list of different IP addresses' })
        .readonly(),
    ],
    { error: SOURCE_EXPECTED },
  )
  .register(fieldFacts, { type: 'list of IP addresses, or `client`', range: '1 to 64 addresses' })
  .optional()
  .describe(
    'Addresses of this machine that connections to backends come from, in turn for each backend: each has source ports of its own for each address of a backend, about 28,000 by default. One that has no port left, or that this machine does not have, is passed over. IPv4 addresses are for IPv4 backends, IPv6 addresses for IPv6 backends; without one of its family the system chooses. Checks use them, too. `client`: the address of the client (transparent proxying), for which the replies must be routed back here; it needs Linux, koffi and CAP_NET_ADMIN. Default: the system chooses. See [sockets](sockets.md#more-connections-than-ports).',
  );
