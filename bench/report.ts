/**
 * Results as text for a terminal and as Markdown for the documentation. Pure: text in, text out.
 *
 * Both are made from the same rows, so that the README cannot show other figures than the terminal did.
 */
import { NOT_MEASURED, alignedTable, formatNumber, markdownTable, type Rows } from './format.ts';
import { goalTables } from './goals.ts';
import { CALLS_PREFIX, type PeerResult, type Result, type ScenarioResult } from './result-file.ts';
import { headlineOf, ratioOf, spreadOf, troublesOf } from './summary.ts';

/** Above this share of the window, a sample says more about the machine than about the balancer. */
const DISTURBED_PERCENT = 5;
/** A client that is later than this at its 99th percentile measures itself. */
const LATE_MS = 1;
/** Segments per second of other programs that the count per session cannot leave out. */
const FOREIGN_SEGMENTS = 20;
/** Calls per session below this are left out of the list. */
const RARE_CALLS = 0.05;

/** One table per scenario with its notes, under the environment header; at most 110 columns. */
export function renderText(result: Result): string {
  const parts = result.scenarios.map(scenario =>
    [scenario.title, alignedTable(detailRows(scenario)), ...notesOf(scenario)].join('\n'),
  );
  const goals = goalTables(result).map(alignedTable);
  const table = goals.length > 0 ? [`lb4 against its goals\n${goals.join('\n\n')}`] : [];
  return [header(result).join('\n'), ...parts, ...table, ''].join('\n\n');
}

/** The README's tables: lb4 against its goals, and each scenario's headline with one row per balancer. */
export function renderSummary(result: Result): string {
  const notes = result.scenarios.flatMap(scenario =>
    notesOf(scenario).map(note => `${scenario.name}: ${note.replace(/^[ !]+/, '')}`),
  );
  const lines = [...header(result), ...notes].map(line => `${line}  `);
  return [
    ...[...goalTables(result), ...summaryTables(result)].flatMap(rows => [markdownTable(rows), '']),
    ...lines,
  ]
    .join('\n')
    .trimEnd();
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

function detailRows(scenario: ScenarioResult): Rows {
  const headline = headlineOf(scenario);
  const head = scenario.figures.flatMap(figure => [
    `${figure.label} ${figure.unit}`.trim(),
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
  const hasRivals = scenario.peers.some(({ role }) => role === 'rival');
  const ratios = (hasRivals ? subjectsOf(scenario) : []).map(subject => [
    `${subject.name} / better rival`,
    ...scenario.figures.flatMap(figure => {
      const ratio = ratioOf(scenario, subject, figure);
      const cell = ratio === undefined ? '' : formatNumber(ratio, 2);
      return figure === headline ? [cell, ''] : [cell];
    }),
  ]);
  return [['balancer', ...head], ...body, ...ratios, ...changeRows(scenario)];
}

/** How lb4 compares with its older build, where one was measured. */
function changeRows(scenario: ScenarioResult): Rows {
  const headline = headlineOf(scenario);
  return subjectsOf(scenario).flatMap(subject => {
    const before = scenario.peers.find(({ name }) => name === `${subject.name}-before`);
    if (before === undefined) return [];
    const cells = scenario.figures.flatMap(figure => {
      const [old, now] = [spreadOf(before, figure.key), spreadOf(subject, figure.key)];
      const known = old !== undefined && now !== undefined && figure.better !== 'neither';
      const cell = known ? formatNumber(now.median / old.median, 3) : '';
      return figure === headline ? [cell, ''] : [cell];
    });
    return [[`${subject.name} / before`, ...cells]];
  });
}

/** Scenarios with the same balancers share a table: one worker and two are not compared. */
function summaryTables(result: Result): Rows[] {
  const sets = new Map<string, ScenarioResult[]>();
  for (const scenario of result.scenarios) {
    const balancers = scenario.peers.filter(({ role }) => role !== 'control').map(({ name }) => name);
    const key = balancers.join();
    sets.set(key, [...(sets.get(key) ?? []), scenario]);
  }
  return [...sets.values()].map(scenarios => summaryRows(result, scenarios));
}

function summaryRows(result: Result, scenarios: readonly ScenarioResult[]): Rows {
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
  return headline.unit === '' ? headline.label : `${headline.label} (${headline.unit})`;
}

function header({ environment, absent }: Result): string[] {
  const versions = Object.entries(environment.versions).map(([name, version]) => `${name}: ${version}`);
  return [
    `${environment.date.slice(0, 16).replace('T', ' ')} UTC, commit ${environment.commit}, Node ${environment.node.slice(1)}`,
    `${environment.cpu}, ${String(environment.cpuCount)} CPUs, ${String(environment.memoryGib)} GiB, ${environment.kernel}, load before ${environment.loadBefore.toFixed(2)}`,
    [environment.pinning, ...(environment.network === undefined ? [] : [environment.network])].join('; '),
    `${String(environment.backends)} backends; medians of ${String(environment.rounds)} interleaved rounds`,
    ...(versions.length === 0 ? [] : [versions.join('; ')]),
    ...absent.map(({ name, reason }) => `not measured: ${name} (${reason})`),
  ];
}

function notesOf(scenario: ScenarioResult): string[] {
  const disturbed = (key: string, limit = DISTURBED_PERCENT): string =>
    scenario.peers
      .filter(peer => (spreadOf(peer, key)?.median ?? 0) > limit)
      .map(peer => peer.name)
      .join(', ');
  const shared = disturbed('waitPercent');
  const stolen = disturbed('stolenPercent');
  const foreign = disturbed('foreignPerSecond', FOREIGN_SEGMENTS);
  const late = disturbed('clientLateP99Ms', LATE_MS);
  const warnings = [
    ...scenario.peers.flatMap(troublesOf),
    ...(shared === '' ? [] : [`not quiet, something else ran on the balancer's core: ${shared}`]),
    ...(late === '' ? [] : [`not quiet, the client itself came late to its requests: ${late}`]),
    ...(foreign === '' ? [] : [`not alone, other programs sent segments in this network: ${foreign}`]),
    ...(stolen === '' ? [] : [`not quiet, the hypervisor withheld CPU time: ${stolen}`]),
  ];
  return [
    ...scenario.peers.flatMap(callsOf).map(calls => `  ${calls}`),
    ...warnings.map(note => `  ! ${note}`),
  ];
}

/** The system calls of a short session by name, most frequent first, where they were counted. */
function callsOf(peer: PeerResult): string[] {
  const keys = new Set(peer.samples.flatMap(({ figures }) => Object.keys(figures)));
  const calls = [...keys]
    .filter(key => key.startsWith(CALLS_PREFIX))
    .map(key => ({ name: key.slice(CALLS_PREFIX.length), count: spreadOf(peer, key)?.median ?? 0 }))
    .filter(({ count }) => count >= RARE_CALLS)
    .sort((a, b) => b.count - a.count);
  if (calls.length === 0) return [];
  return [`${peer.name}: ${calls.map(({ name, count }) => `${name} ${formatNumber(count, 2)}`).join(', ')}`];
}

function subjectsOf(scenario: ScenarioResult): PeerResult[] {
  return scenario.peers.filter(peer => peer.role === 'subject');
}
