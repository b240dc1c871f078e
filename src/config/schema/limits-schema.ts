/**
 * Keys of a listener that limit how many clients come in, and how fast: all together, and each. Those that limit bytes
 * are in bandwidth-schema.ts.
 *
 * Place: a part of schema.ts.
 */
import * as z from 'zod';
import { RATE_PATTERN } from '../../support/rate.ts';
import { listenerBandwidth, perSession } from './bandwidth-schema.ts';
import { fieldFacts, integer, section } from './fields.ts';
import { maxSessions, MOST_SESSIONS } from './limits-of-values.ts';

const RATE_FORM = 'a rate such as 50/s, 300/m or 1000/h';

const rate = () =>
  z
    .string({ error: RATE_FORM })
    .regex(new RegExp(RATE_PATTERN), { error: RATE_FORM })
    .register(fieldFacts, { type: 'rate', range: '1 to 9999999 in `s`, `m` or `h`' })
    .optional();

const burst = () => integer(1, MOST_SESSIONS).optional();

interface Paced {
  readonly rate?: string | undefined;
  readonly burst?: number | undefined;
}

const hasRate = ({ rate: given, burst: most }: Paced): boolean => given !== undefined || most === undefined;
const WITHOUT_RATE = { error: 'no burst without a rate', path: ['burst'] };

/** Of all clients in a network of these lengths. */
const each = (who: string, ipv4: number, ipv6: number) =>
  section({
    sessions: maxSessions().describe(`Most sessions of one ${who} at a time. Default: no limit.`),
    rate: rate().describe(
      `New sessions of one ${who}: this many in a second, minute or hour. Default: no limit.`,
    ),
    burst: burst().describe(`Most new sessions of one ${who} at once. Default: the number in \`rate\`.`),
    ipv4Prefix: integer(1, 32).default(ipv4).describe(`How many bits of an IPv4 address are one ${who}.`),
    ipv6Prefix: integer(1, 128).default(ipv6).describe(`How many bits of an IPv6 address are one ${who}.`),
    clients: integer(1, MOST_SESSIONS)
      .default(65_536)
      .describe(
        `Room to count this many at a time, at least 8192. An entry (36 bytes, 4 more for each further worker) is in use while there is a session, or not all of \`burst\`. When all are, others are let in uncounted.`,
      ),
  })
    .refine(hasRate, WITHOUT_RATE)
    .refine(({ sessions, rate: given }) => sessions !== undefined || given !== undefined, {
      error: 'sessions or a rate, or both',
    })
    .optional();

export const listenerLimits = section({
  maxSessions: maxSessions().describe(
    'Most sessions at a time through this listener; further clients wait. Default: no limit of its own.',
  ),
  rate: rate().describe(
    'New sessions through this listener: this many in a second, minute or hour; further clients wait. Default: no limit.',
  ),
  burst: burst().describe('Most new sessions through this listener at once. Default: the number in `rate`.'),
  perClient: each('client', 32, 64).describe(
    'Limits of each client, by its address; one beyond them is reset. See [limits](limits.md).',
  ),
  perNetwork: each('network', 24, 48).describe(
    'The same for all clients of a network together, besides `perClient`.',
  ),
  bandwidth: listenerBandwidth,
  perSession,
}).refine(hasRate, WITHOUT_RATE);
