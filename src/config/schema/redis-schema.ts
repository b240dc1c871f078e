/**
 * The configuration of sharing counts with other instances: which Redis, as which user, how often.
 *
 * Place: a part of schema.ts. Rules about two keys at once are in redis-cross-checks.ts;
 * src/control/mirror/redis-connection.ts reads the files that it names.
 * Invariant: no issue contains a value that may be a secret (secrets.ts).
 */
import * as z from 'zod';
import { duration, fieldFacts, name, section, text } from './fields.ts';
import { MINUTE, SHORTEST } from './limits-of-values.ts';
import { parseRedisUrl, REDIS_URL_FORM, REDIS_URL_PATTERN } from './redis-url.ts';

const LONGEST_USER = 255;
const LONGEST_PATH = 4096;

const file = () => text(LONGEST_PATH).optional();

const url = z
  .string({ error: REDIS_URL_FORM })
  .transform((text, context) => {
    const parsed = parseRedisUrl(text);
    if (parsed.ok) return parsed.url;
    context.addIssue({ code: 'custom', message: parsed.expected });
    return z.NEVER;
  })
  .meta({ pattern: REDIS_URL_PATTERN })
  .register(fieldFacts, { type: 'Redis URL', range: '1 to 64 hosts' });

export const redisSection = section({
  url: url.describe(
    '`redis://[user[:password]@]host[:6379][/db]`; through Sentinels `redis+sentinel://[user[:password]@]host[:26379],host2/MASTER[/db]`; a cluster `redis+cluster://[user[:password]@]host[:6379],host2`; `rediss` instead of `redis` for TLS. IPv6 in brackets; user and password percent-encoded.',
  ),
  username: text(LONGEST_USER)
    .optional()
    .describe(
      'The user (ACL), if it is not in the URL. Default: the user in the URL, or the `default` user of Redis.',
    ),
  passwordFile: file().describe(
    'A file that holds the password, relative to the configuration file; one line end at its end is left out. Use it instead of a password in the URL.',
  ),
  sentinelUsername: text(LONGEST_USER)
    .optional()
    .describe('The user for the Sentinels themselves, if they require one.'),
  sentinelPasswordFile: file().describe(
    'A file that holds the password for the Sentinels themselves, if they require one.',
  ),
  tls: section({
    ca: file().describe(
      'A PEM file with the authorities to trust, relative to the configuration file. Default: those of Node.',
    ),
    cert: file().describe('A PEM file with the certificate that lb4 shows. Together with `key`.'),
    key: file().describe('A PEM file with the private key of `cert`, without a passphrase.'),
    serverName: text(255)
      .optional()
      .describe(
        'The name that is asked for (SNI) and expected in the certificate. Default: the host of the URL.',
      ),
  })
    .optional()
    .describe('Settings of TLS. Only with `rediss`; not needed where Node trusts the certificate.'),
  publish: duration(SHORTEST, MINUTE)
    .prefault('250ms')
    .describe('How often this instance publishes its counts and receives those of the other instances.'),
  instance: name()
    .optional()
    .describe('Names this instance among the others. Default: the host name and a random part.'),
});
