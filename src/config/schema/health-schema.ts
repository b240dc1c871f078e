/**
 * The configuration of active checks: what is probed, how often, and what counts as well; and of the agent check.
 *
 * Place: a part of upstream-schema.ts. All kinds of check share one flat mapping; upstream-cross-checks.ts checks that
 * each key goes with the type.
 */
import * as z from 'zod';
import { wordsOf } from '../../errors.ts';
import { duration, fieldFacts, integer, numericAddress, oneOf, section, text, yesOrNo } from './fields.ts';
import { HOUR, MINUTE, SECOND, SHORTEST } from './limits-of-values.ts';
import { healthProxy } from './proxy-schema.ts';
import { parseStatusRanges, STATUS_FORM } from './status-ranges.ts';

export const HEALTH_TYPES = ['tcp', 'http', 'sendExpect', 'tls', 'off'] as const;
export const HEALTH_PRESETS = ['redis', 'postgres', 'mysql', 'smtp', 'ssh'] as const;
const HTTP_METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST'] as const;
/** Longest text that is sent or waited for. */
const MOST_TEXT = 4096;

const HEX = /^([0-9a-fA-F]{2}\s*)+$/;
const HEX_FORM = 'bytes in hexadecimal such as "0d0a" or "0d 0a"';
const PATTERN_FORM = 'a regular expression as in JavaScript, such as "^220[ -]"';

const path = z
  .string({ error: 'a path that begins with /' })
  .regex(/^\/[!-~]*$/, { error: 'a path that begins with / and has no space in it' })
  .max(MOST_TEXT, { error: `a path of at most ${MOST_TEXT} characters` })
  .register(fieldFacts, { type: 'text' });

const port = () => integer(1, 65_535);

/** What is absent is as in the `tls` of the upstream. */
export interface TlsSection {
  readonly verify?: boolean | undefined;
  readonly serverName?: string | undefined;
  readonly ca?: string | undefined;
}

const tls = z
  .union(
    [
      z.boolean(),
      section({
        verify: yesOrNo()
          .optional()
          .describe(
            'Whether the certificate must be valid and name `serverName`. Default: as in the `tls` of the upstream, else true.',
          ),
        serverName: text(255)
          .optional()
          .describe(
            'The name that is asked for (SNI) and expected in the certificate. Default: that of the `tls` of the upstream, else the host of the backend.',
          ),
        ca: text(MOST_TEXT)
          .optional()
          .describe(
            'A PEM file with the authorities to trust, relative to the configuration file. Default: those of the `tls` of the upstream, else those of Node.',
          ),
      }),
    ],
    { error: 'true, false, or a mapping such as { verify: false }' },
  )
  // As of `{}`: a key that is undefined would be a difference, and a reload would begin the checks anew.
  .transform((value): TlsSection | false => (value === true ? {} : value))
  .register(fieldFacts, { type: 'mapping, `true` or `false`' });

const pattern = z
  .string({ error: PATTERN_FORM })
  .max(MOST_TEXT, { error: PATTERN_FORM })
  .superRefine((source, context) => {
    try {
      new RegExp(source, 'm');
    } catch (error) {
      const why = wordsOf(error);
      context.addIssue({
        code: 'custom',
        message: `${PATTERN_FORM} (${why})`,
        params: { withoutValue: PATTERN_FORM },
      });
    }
  })
  .register(fieldFacts, { type: 'regular expression' });

const DEFAULT_TIMEOUT = 2 * SECOND;

export const healthCheck = section({
  type: oneOf(HEALTH_TYPES)
    .default('tcp')
    .describe(
      '`tcp`: a backend is well when it accepts a connection. `http`: when it answers a request as expected. `sendExpect`: when its reply is as expected. `tls`: when a TLS handshake succeeds. `off`: no checks; it always counts as well.',
    ),
  interval: duration(SHORTEST, HOUR).prefault('2s').describe('Time between two checks of a backend.'),
  intervalDown: duration(SHORTEST, HOUR)
    .optional()
    .describe('Time between two checks while the backend is down. Default: `interval`.'),
  intervalChanging: duration(SHORTEST, HOUR)
    .optional()
    .describe(
      'Time from the beginning of one check to that of the next while results contradict the verdict, so between the first and the last of `rise` or `fall`. A check need not have ended when the next one begins. Default: 500ms, or `interval` if it is shorter.',
    ),
  timeout: duration(SHORTEST, 10 * MINUTE)
    .optional()
    .describe(
      'A check that takes longer than this has failed. Range: up to the shorter of `interval` and `intervalDown`. Default: 2s, or that interval if it is shorter.',
    ),
  rise: integer(1, 100).default(2).describe('Checks passed in a row that bring a backend back.'),
  fall: integer(1, 100).default(3).describe('Checks failed in a row that take a backend out.'),
  jitter: integer(0, 50)
    .default(5)
    .describe('Percent by which each interval varies at random, so that instances do not fall into step.'),
  initial: oneOf(['up', 'down', 'checked'])
    .default('up')
    .describe(
      'How a new backend counts until checks have decided. `up`: as well. `down`: it gets no sessions before `rise` checks have passed. `checked`: it gets none before its first check, and that check alone decides.',
    ),
  port: port().optional().describe('Checks this port of the backend instead of the one for sessions.'),
  address: numericAddress().optional().describe('Checks this address instead of the one of each backend.'),
  sendProxy: healthProxy,
  method: oneOf(HTTP_METHODS).optional().describe('`http`: the method. Default: GET.'),
  path: path.optional().describe('`http`: the path, with its query. Default: `/`.'),
  host: text(255)
    .optional()
    .describe('`http`: the Host header. Default: the configured address of the backend.'),
  status: z
    // YAML reads a single status as a number.
    .union([z.string(), z.number()], { error: STATUS_FORM })
    .transform(String)
    .superRefine((value, context) => {
      if (parseStatusRanges(value) === undefined) context.addIssue({ code: 'custom', message: STATUS_FORM });
    })
    .register(fieldFacts, { type: 'text', range: '100 to 599' })
    .optional()
    .describe('`http`: statuses that pass, such as `200-299,301`. Default: `200-399`.'),
  body: text(MOST_TEXT).optional().describe('`http`: text that must occur in the first 64 KiB of the body.'),
  preset: oneOf(HEALTH_PRESETS)
    .optional()
    .describe('`sendExpect`: the usual question and answer of a protocol, instead of `send` and `expect`.'),
  send: text(MOST_TEXT)
    .optional()
    .describe(
      '`sendExpect`: text to send once connected; in YAML, double quotes make `\\r\\n` line ends. Default: nothing; the backend speaks first.',
    ),
  sendHex: z
    .string({ error: HEX_FORM })
    .regex(HEX, { error: HEX_FORM })
    .max(3 * MOST_TEXT, { error: HEX_FORM })
    .register(fieldFacts, { type: 'text' })
    .optional()
    .describe('`sendExpect`: bytes to send once connected, in hexadecimal; instead of `send`.'),
  expect: text(MOST_TEXT)
    .optional()
    .describe('`sendExpect`: text that must occur in the first 4 KiB of the reply.'),
  expectPattern: pattern
    .optional()
    .describe(
      '`sendExpect`: a regular expression that must match in the first 4 KiB of the reply; `^` and `$` also match at line ends.',
    ),
  tls: tls
    .optional()
    .describe(
      'The check speaks TLS, and `http` over HTTPS: its keys take the place of those of the `tls` of the upstream. `false`: it does not, although sessions do. Default: as sessions, unless the check has a `port` or `address` of its own; with type `tls`: true.',
    ),
}).transform(health => ({
  ...health,
  timeout: health.timeout ?? Math.min(DEFAULT_TIMEOUT, ...intervalsOf(health)),
}));

/** Those that begin at the end of a check. */
function intervalsOf({
  interval,
  intervalDown,
}: {
  interval: number;
  intervalDown?: number | undefined;
}): number[] {
  return [interval, intervalDown ?? interval];
}

export const HEALTH_OFF = healthCheck.parse({ type: 'off' });

/** Asks the backends themselves how much they can take (HAProxy's agent-check). */
export const agentCheck = section({
  port: port().optional().describe('The port on which the agent of each backend answers.'),
  address: numericAddress().optional().describe('One agent for all backends, instead of `port`.'),
  interval: duration(SHORTEST, HOUR).prefault('2s').describe('Time between two questions.'),
  timeout: duration(SHORTEST, 10 * MINUTE)
    .optional()
    .describe(
      'An agent that takes longer than this is not waited for until the next time. Range: up to `interval`. Default: 2s, or `interval` if it is shorter.',
    ),
  send: text(MOST_TEXT).optional().describe('Text that is sent to the agent once connected. Default: none.'),
}).transform(agent => ({ ...agent, timeout: agent.timeout ?? Math.min(DEFAULT_TIMEOUT, agent.interval) }));
