/**
 * Results as text for a terminal and as Markdown for the documentation. Pure: text in, text out.
 *
 * Both are made from the same rows, so that the README cannot show other figures than the terminal did.
 */
import type { PeerResult, Result, ScenarioResult } from './result-file.ts';
import { headlineOf, ratioOf, spreadOf, troublesOf } from './summary.ts';

/** A table: the first row is the head, the first column is text, the others are numbers. */
export type Rows = readonly (readonly string[])[];

const NOT_MEASURED = '–';
/** Above this share of the window, a sample says more about the machine than about the balancer. */
const DISTURBED_PERCENT = 5;

/** One table per scenario with its notes, under the environment header; at most 110 columns. */
export function renderText(result: Result): string {
  const parts = result.scenarios.map(scenario =>
    [scenario.title, alignedTable(detailRows(scenario)), ...notesOf(scenario)].join('\n'),
  );
  return [header(result).join('\n'), ...parts, ''].join('\n\n');
}

/** The README's table: one row per balancer, one column per scenario's headline, and lb4's ratio. */
export function renderSummary(result: Result): string {
  const notes = result.scenarios.flatMap(scenario =>
    notesOf(scenario).map(note => `${scenario.name}: ${note.replace(/^[ !]+/, '')}`),
  );
  const lines = [...header(result), ...notes].map(line => `${line}  `);
  return [markdownTable(summaryRows(result)), '', ...lines].join('\n').trimEnd();
}

/** Every figure in Markdown, one section per scenario. */
export function renderDetails(result: Result): string {
  const parts = result.scenarios.map(scenario =>
    [`### ${scenario.title}`, markdownTable(detailRows(scenario)), ...notesOf(scenario)].join('\n\n'),
  );
  return [
    ...parts,
    header(result)
      .map(line => `${line}  `)
      .join('\n'),
  ].join('\n\n');
}

/** Columns padded to their widest cell: text to the left, numbers to the right. */
export function alignedTable(rows: Rows): string {
  const width = (column: number): number => Math.max(...rows.map(row => row[column]?.length ?? 0));
  return rows
    .map(row =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(width(column)) : cell.padStart(width(column))))
        .join('  ')
        .trimEnd(),
    )
    .map(line => `  ${line}`)
    .join('\n');
}

/** A number as the tables show it; a dash for what was not measured. */
export function formatNumber(value: number | undefined, digits: number): string {
  if (value === undefined || Number.isNaN(value)) return NOT_MEASURED;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function detailRows(scenario: ScenarioResult): Rows {
  const headline = headlineOf(scenario);
  const head = scenario.figures.flatMap(figure => [
    `${figure.label} ${figure.unit}`,
    ...(figure === headline ? ['min–max'] : []),
  ]);
  const body = scenario.peers.map(peer => [
    peer.name,
    ...scenario.figures.flatMap(figure => {
      const spread = spreadOf(peer, figure.key);
      const cell = formatNumber(spread?.median, figure.digits);
      if (figure !== headline) return [cell];
      const range = [spread?.min, spread?.max].map(value => formatNumber(value, figure.digits));
      return [cell, spread === undefined ? NOT_MEASURED : range.join('–')];
    }),
  ]);
  const ratios = subjectsOf(scenario).map(subject => [
    `${subject.name} / better rival`,
    ...scenario.figures.flatMap(figure => {
      const ratio = ratioOf(scenario, subject, figure);
      const cell = ratio === undefined ? '' : formatNumber(ratio, 2);
      return figure === headline ? [cell, ''] : [cell];
    }),
  ]);
  return [['balancer', ...head], ...body, ...ratios];
}

function summaryRows(result: Result): Rows {
  const { scenarios } = result;
  const peers = new Map(scenarios.flatMap(({ peers: all }) => all).map(peer => [peer.name, peer.role]));
  const balancers = [...peers].filter(([, role]) => role !== 'control').map(([name]) => name);
  const cells = (name: string, text: (scenario: ScenarioResult, peer: PeerResult) => string): string[] =>
    scenarios.map(scenario => {
      const peer = scenario.peers.find(candidate => candidate.name === name);
      return peer === undefined ? NOT_MEASURED : text(scenario, peer);
    });
  const subjects = balancers.filter(name => peers.get(name) === 'subject');
  return [
    ['balancer', ...scenarios.map(scenario => `${scenario.name}: ${withUnit(scenario)}`)],
    ...balancers.map(name => [
      result.environment.versions[name] ?? name,
      ...cells(name, (scenario, peer) => {
        const headline = headlineOf(scenario);
        return formatNumber(spreadOf(peer, headline.key)?.median, headline.digits);
      }),
    ]),
    ...subjects.map(name => [
      `**${name} / better rival**`,
      ...cells(
        name,
        (scenario, peer) => `**${formatNumber(ratioOf(scenario, peer, headlineOf(scenario)), 2)}**`,
      ),
    ]),
  ];
}

function withUnit(scenario: ScenarioResult): string {
  const headline = headlineOf(scenario);
  return `${headline.label} (${headline.unit})`;
}

function header({ environment, absent }: Result): string[] {
  const versions = Object.entries(environment.versions).map(([name, version]) => `${name}: ${version}`);
  return [
    `${environment.date.slice(0, 16).replace('T', ' ')} UTC, commit ${environment.commit}, Node ${environment.node.slice(1)}`,
    `${environment.cpu}, ${String(environment.cpuCount)} CPUs, ${String(environment.memoryGib)} GiB, ${environment.kernel}, load before ${environment.loadBefore.toFixed(2)}`,
    `${environment.pinning}; ${String(environment.backends)} backends; medians of ${String(environment.rounds)} interleaved rounds`,
    ...(versions.length === 0 ? [] : [versions.join('; ')]),
    ...absent.map(({ name, reason }) => `not measured: ${name} (${reason})`),
  ];
}

function notesOf(scenario: ScenarioResult): string[] {
  const disturbed = (key: string): string =>
    scenario.peers
      .filter(peer => (spreadOf(peer, key)?.median ?? 0) > DISTURBED_PERCENT)
      .map(peer => peer.name)
      .join(', ');
  const shared = disturbed('waitPercent');
  const stolen = disturbed('stolenPercent');
  return [
    ...scenario.peers.flatMap(troublesOf),
    ...(shared === '' ? [] : [`not quiet, something else ran on the balancer's core: ${shared}`]),
    ...(stolen === '' ? [] : [`not quiet, the hypervisor withheld CPU time: ${stolen}`]),
  ].map(note => `  ! ${note}`);
}

function subjectsOf(scenario: ScenarioResult): PeerResult[] {
  return scenario.peers.filter(peer => peer.role === 'subject');
}

function markdownTable(rows: Rows): string {
  const [head = [], ...body] = rows;
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(head), line(rule), ...body.map(line)].join('\n');
}
