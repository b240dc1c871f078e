/**
 * The configuration of when a session connects to its backend. A word sets `when`, a mapping also `timeout`.
 *
 * Place: a part of upstream-schema.ts.
 */
import * as z from 'zod';
import { duration, fieldFacts, oneOf, section } from './fields.ts';
import { HOUR, SHORTEST } from './limits-of-values.ts';

const WORDS = ['now', 'firstByte', 'tlsHello'] as const;
const FORM = `one of ${WORDS.join(', ')}, or a mapping such as { when: firstByte, timeout: 30s }`;

const mapping = section({
  when: oneOf(WORDS)
    .default('now')
    .describe(
      '`now`: as soon as the client is let in. `firstByte`: when the client has sent something. Not for protocols in which the server speaks first (MySQL, SMTP, FTP, SSH, IMAP, POP3): client and lb4 would wait for each other. `tlsHello`: when the first message of TLS (ClientHello) is whole; clients that send something else are reset.',
    ),
  timeout: duration(SHORTEST, HOUR)
    .prefault('30s')
    .describe('`firstByte`, `tlsHello`: a client that has not sent that much for this long is reset.'),
});

export const connectWhen = z
  .union([oneOf(WORDS), mapping], { error: FORM })
  .transform(value => (typeof value === 'string' ? mapping.parse({ when: value }) : value))
  .register(fieldFacts, { type: 'word or mapping' })
  .prefault({})
  .describe(
    'When a session connects to its backend. In one word: `firstByte` is `{ when: firstByte }`. See [clients that say nothing](failing-backends.md#clients-that-say-nothing).',
  );
