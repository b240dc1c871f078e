/** The route that lasts: events as they happen, and the status every second for those that show it. */
import * as z from 'zod';
import { MOST_EVENTS } from '../events/event-ring.ts';
import { duration, numeral, text } from '../fields.ts';
import { findUpstream } from '../find-upstream.ts';
import { route } from '../route.ts';

const MINUTE_MS = 60_000;

export const eventRoutes = [
  route({
    method: 'GET',
    path: '/api/v1/events',
    summary: 'Events as they happen, as server-sent events.',
    query: z.strictObject({
      upstream: text('the name of an upstream')
        .optional()
        .describe('Only events that name this upstream, and only this one in `status`.'),
      status: duration(1_000, MINUTE_MS)
        .optional()
        .describe('Also an event `status` now and as often as this: what `/api/v1/status` answers.'),
      recent: numeral(0, MOST_EVENTS).optional().describe('Begin with as many past events.'),
    }),
    headers: { 'Last-Event-ID': 'The id of the last event received: go on after it.' },
    answers: {
      200: {
        means:
          'A stream. The `data:` of each event is one line of JSON with `event`, its name, and `time`, and those of a backend have `upstream` and `backend`. `missed` says that events are lost, and their number if it is known.',
        schema: z.string(),
        type: 'text/event-stream',
      },
      404: { means: 'There is no such upstream.' },
      503: { means: 'Too many clients follow events already.' },
    },
    handle: ({ query: { upstream, status: statusMs, recent = 0 }, caller }, { balancer, streams }) => {
      if (upstream !== undefined) findUpstream(balancer.snapshot().upstreams, upstream);
      return {
        stream: response => {
          const { 'last-event-id': lastEventId } = response.req.headers;
          const last = typeof lastEventId === 'string' ? lastEventId : undefined;
          streams.add(response, caller, { upstream, statusMs, recent, lastEventId: last });
        },
      };
    },
  }),
];
