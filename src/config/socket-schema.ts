/**
 * Keys about sockets that listeners and upstreams share.
 *
 * Place: a part of schema.ts and upstream-schema.ts.
 */
import { z } from 'zod';
import { duration, fieldFacts, integer, section } from './fields.ts';
import { HOUR, SECOND, SHORTEST } from './limits-of-values.ts';

/** Linux takes at most 32,767 seconds. */
const LONGEST_KEEPALIVE = 9 * HOUR;
const MOST_PROBES = 127;

const probes = section({
  idle: duration(SECOND, LONGEST_KEEPALIVE)
    .prefault('60s')
    .describe('A connection that has been quiet for so long is asked whether its peer is still there.'),
  interval: duration(SECOND, LONGEST_KEEPALIVE)
    .prefault('10s')
    .describe('Time between two questions while no answer comes.'),
  count: integer(1, MOST_PROBES)
    .default(6)
    .describe('After so many unanswered questions the connection is broken.'),
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
      `TCP keepalive towards ${whose}: a peer whose machine has vanished ends its session, as if it had reset it. Times in whole seconds, rounded up.`,
    );

export const userTimeout = () =>
  duration(SHORTEST, HOUR, "the system's own")
    .prefault('0s')
    .describe(
      'How long sent bytes may stay unacknowledged before the connection breaks (TCP_USER_TIMEOUT; it also bounds keepalive). By default the system decides: about 15 minutes on Linux. Needs koffi.',
    );
