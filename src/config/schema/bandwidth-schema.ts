/**
 * Keys that limit how fast bytes move.
 *
 * Place: a part of schema.ts. A bandwidth by itself is that of each direction; parsed, it always names the directions.
 */
import * as z from 'zod';
import { BANDWIDTH_PATTERN, formatBandwidth, parseBandwidth } from '../../support/bandwidth.ts';
import { fieldFacts, section } from './fields.ts';

/** In bytes per second. */
const SLOWEST = 1024;
const FASTEST = 100 * 2 ** 30;
const FORM = 'a bandwidth such as 10MiB/s or 500kB/s';
const RANGE = `${formatBandwidth(SLOWEST)} to ${formatBandwidth(FASTEST)}`;

/** Bytes per second once parsed. */
function rate() {
  return z
    .string({ error: FORM })
    .transform((text, context) => {
      const bytes = parseBandwidth(text);
      if (bytes !== undefined && bytes >= SLOWEST && bytes <= FASTEST) return bytes;
      const message = bytes === undefined ? FORM : `a bandwidth from ${RANGE}`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    })
    .meta({ pattern: BANDWIDTH_PATTERN })
    .register(fieldFacts, { type: 'bandwidth', range: RANGE, bandwidth: true });
}

const NO_DIRECTION = 'fromClient or fromBackend, or both';

const directions = section({
  fromClient: rate().optional().describe('Of the bytes that clients send. Default: no limit.'),
  fromBackend: rate().optional().describe('Of the bytes that backends send. Default: no limit.'),
}).refine(({ fromClient, fromBackend }) => fromClient !== undefined || fromBackend !== undefined, {
  error: NO_DIRECTION,
});

function bandwidth() {
  return z
    .union([rate(), directions], {
      error: `${FORM}, or a mapping such as { fromClient: 1MiB/s, fromBackend: 10MiB/s }`,
    })
    .transform(value => (typeof value === 'number' ? { fromClient: value, fromBackend: value } : value))
    .register(fieldFacts, { type: 'bandwidth or mapping', range: RANGE })
    .optional();
}

/** Of a listener. */
export const listenerBandwidth = bandwidth().describe(
  'Most bytes per second of all sessions of this listener together, over all workers; sessions with bytes to move get equal shares. One value: for each direction by itself. Default: no limit. See [bandwidth](bandwidth.md).',
);

/** Of each session of a listener. */
export const perSession = section({
  bandwidth: bandwidth().describe(
    'Most bytes per second of one session. One value: for each direction by itself. Default: no limit.',
  ),
})
  .optional()
  .describe('Limits of each session by itself.');
