/**
 * Keys about who may come in: `access`, `whenDenied` and `dryRun` of a listener.
 *
 * Place: a part of schema.ts. What files contain is read by config/source/network-list.ts.
 */
import * as z from 'zod';
import { parseNetwork } from '../../support/network.ts';
import { fieldFacts, oneOf, section, yesOrNo } from './fields.ts';

/** Before the path of a file with more entries. */
export const FILE = 'file:';
const WAYS = ['reset', 'drop'] as const;
const MOST_ENTRIES = 10_000;
const MOST_RULES = 1_000;

const ENTRY_FORM =
  'a network such as 10.0.0.0/8 or fd00::/8, an IP address, all, unix, or file: and the path of a file with such entries';
const ENTRIES_EXPECTED = `an entry, or a list of up to ${MOST_ENTRIES} entries`;
const DENIED_EXPECTED = `${ENTRIES_EXPECTED}, or one of ${WAYS.join(', ')} for all others`;
const ACCESS_EXPECTED =
  'a mapping such as { allow: [10.0.0.0/8], deny: [all] }, or a list of such mappings with one key each';

const entry = z
  .string({ error: ENTRY_FORM })
  .refine(isEntry, { error: ENTRY_FORM })
  .register(fieldFacts, { type: 'entry' });

function isEntry(text: string): boolean {
  if (text === 'all' || text === 'unix') return true;
  return text.startsWith(FILE) ? text.length > FILE.length : parseNetwork(text) !== undefined;
}

const list = (error: string) =>
  z
    .array(entry, { error })
    .max(MOST_ENTRIES, { error })
    .readonly()
    .register(fieldFacts, { type: 'list', range: `up to ${MOST_ENTRIES} entries` });

const allow = z
  .union([list(ENTRIES_EXPECTED), entry], { error: ENTRIES_EXPECTED })
  .transform(value => (typeof value === 'string' ? [value] : value))
  .register(fieldFacts, { type: 'list or entry', range: `up to ${MOST_ENTRIES} entries` })
  .optional()
  .describe(
    'Who may come in: networks, IP addresses, `all`, `unix` for clients of unix sockets, and `file:PATH` for a [file with entries](access.md#files).',
  );

const deny = z
  .union([oneOf(WAYS), list(DENIED_EXPECTED), entry], { error: DENIED_EXPECTED })
  .transform(value => (typeof value === 'string' && !isWay(value) ? [value] : value))
  .register(fieldFacts, { type: 'list, entry, `reset` or `drop`', range: `up to ${MOST_ENTRIES} entries` })
  .optional()
  .describe(
    'Who is refused, with the same entries. `reset` or `drop` in place of them: all others, and how, whatever `whenDenied` says.',
  );

function isWay(text: string): text is (typeof WAYS)[number] {
  return WAYS.some(way => way === text);
}

/** One step of the list. */
interface Rule {
  readonly allow?: readonly string[] | undefined;
  readonly deny?: readonly string[] | (typeof WAYS)[number] | undefined;
}

/** A rule, and where it stands below `access`. */
export type AccessRuleConfig = Rule & { readonly at: readonly (string | number)[] };

/** The mapping with its keys in the order in which they were written, which zod does not keep. */
const inOrder = () => {
  let written: readonly string[] = [];
  const note = (input: unknown): unknown => {
    written = typeof input === 'object' && input !== null ? Object.keys(input) : [];
    return input;
  };
  return z
    .preprocess(note, section({ allow, deny }))
    .transform((rules, context): readonly AccessRuleConfig[] => {
      const found = written.flatMap((key): AccessRuleConfig[] => {
        if (key === 'allow' && rules.allow !== undefined) return [{ allow: rules.allow, at: [key] }];
        return key === 'deny' && rules.deny !== undefined ? [{ deny: rules.deny, at: [key] }] : [];
      });
      if (found.length === 0) context.addIssue({ code: 'custom', message: ACCESS_EXPECTED });
      return found;
    });
};

const single = inOrder().refine(rules => rules.length === 1, {
  error: 'a mapping with one key, because the list is the order',
});

export const access = z
  .union([inOrder(), z.array(single, { error: ACCESS_EXPECTED }).min(1, { error: ACCESS_EXPECTED }).max(MOST_RULES)], {
    error: ACCESS_EXPECTED,
  })
  .transform((rules): readonly AccessRuleConfig[] =>
    rules.flatMap((rule, index) =>
      !('length' in rule) ? [rule] : rule.map(each => ({ ...each, at: [index, ...each.at] })),
    ),
  )
  .register(fieldFacts, { type: 'mapping or list', range: `up to ${MOST_RULES} elements` })
  .optional()
  .describe(
    'Who may come in, by address. The first key that has the client decides; in a list of mappings with one key each, keys may come more than once. A client that none of them has is refused if there is an `allow`, else it may come in. Default: everyone may. See [access control](access.md).',
  );

export const whenDenied = oneOf(WAYS)
  .default('reset')
  .describe(
    'What a client gets that `access` refuses. `reset`: a TCP reset. `drop`: [no answer](access.md#no-answer), where the system lets lb4 do that.',
  );

export const dryRun = yesOrNo()
  .default(false)
  .describe(
    '`true`: `access`, `limits.perClient` and `limits.perNetwork` refuse no client, and none waits for `limits.rate`; lb4 counts and logs those that would be refused or wait.',
  );
