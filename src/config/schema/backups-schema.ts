/**
 * The configuration of backups: when the backends marked `backup` get sessions, and which of them. A word sets one of
 * the two, a mapping both.
 *
 * Place: a part of upstream-schema.ts.
 */
import * as z from 'zod';
import { fieldFacts, oneOf, section } from './fields.ts';

const WORDS = {
  whenDown: { when: 'down' },
  whenFull: { when: 'full' },
  all: { which: 'all' },
  first: { which: 'first' },
} as const;

const FORM = `one of ${Object.keys(WORDS).join(', ')}, or a mapping such as { when: full, which: first }`;

const mapping = section({
  when: oneOf(['down', 'full'])
    .default('down')
    .describe(
      '`down`: when no other backend is well. `full`: also when all others are at their `maxSessions`, before sessions wait.',
    ),
  which: oneOf(['all', 'first'])
    .default('all')
    .describe('`all`: all backups that are well. `first`: the first of them in the order of the list.'),
});

const word = z
  .string({ error: FORM })
  .superRefine((text, context) => {
    if (Object.hasOwn(WORDS, text)) return;
    context.addIssue({ code: 'custom', message: FORM, params: { known: Object.keys(WORDS) } });
  })
  .meta({ enum: Object.keys(WORDS) });

export const backups = z
  .union([word, mapping], { error: FORM })
  .transform(value => (typeof value === 'string' ? mapping.parse(rulesOf(value)) : value))
  .register(fieldFacts, { type: 'word or mapping' })
  .prefault({})
  .describe(
    'When the backends marked `backup` get sessions, and which of them do. In one word: `whenDown` is `{ when: down }`, `whenFull` is `{ when: full }`, `all` is `{ which: all }`, `first` is `{ which: first }`.',
  );

function rulesOf(text: string): object {
  return Object.entries(WORDS).find(([known]) => known === text)?.[1] ?? {};
}
