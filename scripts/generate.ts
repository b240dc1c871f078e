/**
 * Generates what is derived from the configuration's schema: schema/lb4.schema.json for editors, and
 * docs/configuration.md for people; docs/metrics.md from the tables of metrics; and the module that holds the Lua script of the mirror. `node
 * dist/scripts/generate.js` writes them; `--check` writes nothing and exits 1, naming what is stale.
 */
import * as z from 'zod';
import { fieldFacts } from '../src/config/schema/fields.ts';
import { elementOf, layers, shapeOf } from '../src/config/schema/schema-tree.ts';
import { configSchema } from '../src/config/schema/schema.ts';
import { keepUpToDate, readText } from './generated-files.ts';
import { metricsDocument } from './metrics-doc.ts';

const LUA = 'src/control/mirror/exchange.lua';
const SAMPLE = 'deploy/examples/full.yaml';

/** What a value with a variable contains, as the pattern of a JSON Schema. */
const VARIABLE = '\\$\\{';

interface Row {
  readonly path: string;
  readonly type: string;
  readonly default: string;
  readonly range: string;
  readonly meaning: string;
}

function jsonSchema(): string {
  const { $schema, ...schema } = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' });
  const whole = {
    $schema,
    $id: 'urn:lb4:schema:configuration',
    title: 'lb4 configuration',
    description: 'Listeners, upstreams and limits of the lb4 load balancer. See docs/configuration.md.',
    ...schema,
  };
  return `${JSON.stringify(forEditors(whole), null, 2)}\n`;
}

/**
 * Leaves out what says nothing to an editor (`readOnly`, and `{}` as the default of a mapping), and lets
 * `${NAME}` stand wherever lb4 fills it in.
 */
function forEditors(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(forEditors);
  if (typeof node !== 'object' || node === null) return node;
  const kept = Object.entries(node)
    .filter(([key, value]) => key !== 'readOnly' && !(key === 'default' && JSON.stringify(value) === '{}'))
    .map(([key, value]: [string, unknown]) => [
      key,
      key === 'pattern' && typeof value === 'string' ? `${value}|${VARIABLE}` : forEditors(value),
    ]);
  const { description, default: byDefault, ...rest } = Object.fromEntries(kept) as Record<string, unknown>;
  const isWordOrNumber =
    rest['type'] === 'integer' || rest['type'] === 'boolean' || Array.isArray(rest['enum']);
  const allowed = isWordOrNumber ? { anyOf: [rest, { type: 'string', pattern: VARIABLE }] } : rest;
  return { description, default: byDefault, ...allowed };
}

function reference(): string {
  const rows = rowsOf(configSchema, '');
  return `<!-- Generated from src/config/schema/schema.ts by \`node dist/scripts/generate.js\`. Do not edit. -->

# Configuration

A configuration is one YAML 1.2 or JSON file of at most 1 MiB. Unknown keys and duplicate keys are errors.
\`lb4 check -c FILE\` reports every problem with its line and column, also problems with files that the configuration names.
Editors that know JSON Schema complete and check the file as you type, with \`schema/lb4.schema.json\`;
in a project that has installed the package this is \`node_modules/lb4-balancer/schema/lb4.schema.json\`.

\`\`\`yaml
${sample()}
\`\`\`

More samples: [deploy/examples](../deploy/examples).

## How values are written

- **Durations** have a unit: \`250ms\`, \`5s\`, \`10m\`, \`1h\`; only \`0\` may stand alone. (The library also takes numbers of milliseconds.)
- **Addresses** are \`host:port\`, \`[v6]:port\` or \`unix:/path\`. A host may be a [name](names.md).
  - Where lb4 listens, \`:port\` means every local address, IPv6 and IPv4.
  - On Linux \`unix:@name\` is a name in the abstract namespace, without a file. A file called \`@name\` is \`unix:./@name\`.
  - A link-local address names its interface: \`[fe80::1%eth0]:80\`. The interface is its number, or its name in letters, digits, \`.\`, \`:\` and \`-\`.
- **Backends** may be given in one word: \`10.0.0.1:80\`, or \`10.0.0.1:80@2\` for weight 2.
- **Environment variables** are filled into text values, not into keys.
  - \`\${NAME}\` is the value of the variable. If it is not set, that is an error; if it is empty, so is the text.
  - \`\${NAME:-default}\` is the default where the variable is not set or empty.
  - \`$\${\` is a literal \`\${\`.
  - In YAML, an unquoted value can become a number, \`true\` or \`false\` in this way; a quoted one stays text.
  - Messages show the reference, never the value.
- YAML anchors and aliases work (at most 256 aliases); merge keys (\`<<\`) and tags (\`!name\`) do not.
- **Command-line flags** and \`LB4_…\` variables override the file. A flag that belongs to a listener or an upstream needs a file with only one listener, or only one upstream.

## Keys

\`[]\` stands for each element of a list. A key that is not marked *required* may be left out.

${table(rows)}
`;
}

/** The sample without the line that is for editors. */
function sample(): string {
  const lines = readText(SAMPLE).trim().split('\n');
  return lines.filter(line => !line.startsWith('# yaml-language-server')).join('\n');
}

function table(rows: readonly Row[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [
    line(['Key', 'Type', 'Default', 'Range', 'Meaning']),
    line(['---', '---', '---', '---', '---']),
    ...rows.map(row => line([`\`${row.path}\``, row.type, row.default, row.range, row.meaning])),
  ].join('\n');
}

/** The rows of a schema's keys and of everything below them, in the order of the schema. */
function rowsOf(schema: z.core.$ZodType, path: string): Row[] {
  const element = elementOf(schema);
  const shape = shapeOf(schema);
  // A list that is short for its only element (`bind`) has its elements described with it. Where a mapping may stand in
  // place of the list (`access`) its keys are described.
  if (shape === undefined && element !== undefined && shapeOf(element) !== undefined) {
    return [
      ...(descriptionOf(element) === '' ? [] : [rowOf(element, `${path}[]`, false)]),
      ...rowsOf(element, `${path}[]`),
    ];
  }
  return Object.entries(shape ?? {}).flatMap(([key, inner]) => {
    const at = path === '' ? key : `${path}.${key}`;
    return [rowOf(inner, at, true), ...rowsOf(inner, at)];
  });
}

function rowOf(schema: z.core.$ZodType, path: string, isKey: boolean): Row {
  const all = layers(schema);
  const facts = all.map(layer => fieldFacts.get(layer)).find(found => found !== undefined);
  const isOptional = all.some(layer => layer instanceof z.ZodOptional);
  const byDefault = defaultOf(all);
  return {
    path,
    type: facts?.type ?? 'mapping',
    default: byDefault ?? (isKey && !isOptional ? '*required*' : ''),
    range: facts?.range ?? '',
    meaning: descriptionOf(schema),
  };
}

/** The default as it would be written; '' for a mapping, whose keys have their own. */
function defaultOf(all: readonly z.core.$ZodType[]): string | undefined {
  const layer = all.find(
    candidate => candidate instanceof z.ZodDefault || candidate instanceof z.ZodPrefault,
  );
  if (layer === undefined) return undefined;
  const value = layer.def.defaultValue;
  if (typeof value === 'object') return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function descriptionOf(schema: z.core.$ZodType): string {
  for (const layer of layers(schema)) {
    const description = z.globalRegistry.get(layer)?.description;
    if (description !== undefined) return description;
  }
  return '';
}

/** The script's lines as text of a module: what is compiled and packed is there without a file to be found. */
function luaModule(): string {
  const lines = readText(LUA)
    .split('\n')
    .map(line => `  ${JSON.stringify(line)},`);
  return `/** Generated from ${LUA} by \`node dist/scripts/generate.js\`. Do not edit. */
/* eslint-disable max-lines -- As long as the script it holds. */
export const EXCHANGE_LUA = [
${lines.join('\n')}
].join('\\n');
`;
}

keepUpToDate(
  {
    'schema/lb4.schema.json': jsonSchema(),
    'docs/configuration.md': reference(),
    'docs/metrics.md': metricsDocument(),
    'src/control/mirror/exchange-lua.ts': luaModule(),
  },
  'generate',
);
