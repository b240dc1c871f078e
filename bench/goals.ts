/**
 * The ratios that lb4 is held to, and how a result stands against them. Pure.
 *
 * A goal is a ratio to the better of HAProxy and nginx in the same run (bench/README.md says why), or to HAProxy alone
 * where nginx saves work by doing less. For what the rivals do not have, and for what is counted, it is the figure itself.
 */
import { NOT_MEASURED, formatNumber, type Rows } from './format.ts';
import type { PeerResult, Result, ScenarioResult } from './result-file.ts';
import { ratioOf, spreadOf } from './summary.ts';

type Figure = ScenarioResult['figures'][number];

const RATIO_DIGITS = 2;
const HAPROXY = 'haproxy';

interface GoalRow {
  readonly label: string;
  readonly scenario: string;
  readonly figure: string;
  /** By the name of lb4's peer. */
  readonly goals: Readonly<Record<string, number>>;
  /** Of what the goal is a ratio, or `figure`: the goal is the figure itself. */
  readonly of: 'better rival' | 'haproxy' | 'figure';
  /** Of a goal that is a figure: its unit, or what is counted. */
  readonly unit?: string;
}

const GOALS: readonly GoalRow[] = [
  row('CPU per small keep-alive request', 'small', 'cpuUsPerRequest', 1, 1.4),
  row('CPU per GB of bulk', 'bulk', 'cpuMsPerGb', 0.35, 1),
  row('CPU per new connection', 'connect', 'cpuUsPerConnection', 1.1, 2.2),
  haproxyRow('CPU per new connection, to HAProxy', 'connect', 'cpuUsPerConnection', 1),
  // 8 µs where HAProxy needs 10, on whatever machine.
  haproxyRow('user time per new connection, to HAProxy', 'connect', 'cpuUsPerConnectionUser', 0.8),
  row('CPU per first connection of a fresh process', 'cold', 'cpuUsPerConnection', 1.3, 3.5),
  row('memory per idle session', 'idle', 'kibibytesPerSession', 0.5, 3),
  row('p99 latency at half of peak', 'latency', 'p99Ms', 1, 1.5),
  {
    label: 'p99 latency of small requests beside bulk',
    scenario: 'beside-bulk',
    figure: 'p99Ms',
    goals: { lb4: 1 },
    of: 'better rival',
  },
  countRow('system calls per short session', 'syscalls', 'callsPerSession', 'calls', 13),
  countRow('TCP segments per short session', 'segments', 'segmentsPerSession', 'segments', 18.5),
  startRow('start to accepting, two workers', 'acceptingMs', 'ms', 400),
  startRow('resident memory after the start, two workers', 'megabytes', 'MB', 80),
  ...(['idle', 'sparse', 'busy'] as const).flatMap(situation => [
    costRow(`CPU of the mirror, ${situation}`, `${situation}InstancePercent`, 1),
    costRow(`CPU of Redis for 20 instances, ${situation}`, `${situation}RedisPercent`, 2),
  ]),
];

/** The peers of lb4 that have goals, and what the documentation calls them. */
const HELD = {
  lb4: '`epoll` engine, 1 worker',
  'lb4-node': '`node` engine',
  'lb4-2w': '`epoll` engine, 2 workers',
} as const;

/** The goals as docs/performance.md shows them. */
export function goalsInWords(): Rows {
  return [
    ['', ...Object.values(HELD)],
    ...GOALS.map(goalRow => [
      goalRow.label,
      ...Object.keys(HELD).map(name => {
        const goal = goalRow.goals[name];
        if (goal === undefined) return NOT_MEASURED;
        return `≤ ${goalRow.of === 'figure' ? `${String(goal)} ${goalRow.unit ?? ''}` : formatNumber(goal, RATIO_DIGITS)}`;
      }),
    ]),
  ];
}

/** lb4 against one goal. */
export interface Standing {
  /** What is compared with the goal: the ratio, or the figure. */
  readonly value: number;
  readonly goal: number | undefined;
  /** Compared as printed: a ratio with two decimals, a figure with its own; undefined without a goal. */
  readonly met: boolean | undefined;
}

/** The standing of one of lb4's peers in a row; undefined where one of the two sides was not measured. */
export function standingOf(result: Result, label: string, peerName: string): Standing | undefined {
  const goalRow = GOALS.find(candidate => candidate.label === label);
  if (goalRow === undefined) throw new Error(`there is no goal "${label}"`);
  const found = findFigure(result, goalRow);
  const peer = found?.scenario.peers.find(({ name }) => name === peerName);
  if (found === undefined || peer === undefined) return undefined;
  const value =
    goalRow.of === 'figure'
      ? spreadOf(peer, found.figure.key)?.median
      : ratioInRow(goalRow, found.scenario, peer, found.figure);
  if (value === undefined) return undefined;
  const goal = goalRow.goals[peerName];
  const digits = digitsOf(goalRow, found.figure);
  return { value, goal, met: goal === undefined ? undefined : Number(value.toFixed(digits)) <= goal };
}

/** The tables of goals, one for each set of lb4's peers, with one row per goal that was measured; none if none was. */
export function goalTables(result: Result): Rows[] {
  const sets = new Map<string, Measured[]>();
  for (const goalRow of GOALS) {
    const found = findFigure(result, goalRow);
    const subjects = found?.scenario.peers.filter(({ role }) => role === 'subject') ?? [];
    if (found === undefined || subjects.length === 0) continue;
    const key = subjects.map(({ name }) => name).join();
    sets.set(key, [...(sets.get(key) ?? []), { goalRow, ...found }]);
  }
  return [...sets.values()].map(measured => goalRows(result, measured));
}

interface Measured {
  readonly goalRow: GoalRow;
  readonly scenario: ScenarioResult;
  readonly figure: Figure;
}

function goalRows(result: Result, measured: readonly Measured[]): Rows {
  const named = (role: 'subject' | 'rival'): string[] => [
    ...new Set(
      measured.flatMap(({ scenario }) =>
        scenario.peers.filter(peer => peer.role === role).map(({ name }) => name),
      ),
    ),
  ];
  const subjects = named('subject');
  const balancers = [...named('rival'), ...subjects];
  return [
    ['', ...balancers, ...subjects.map(name => `${name} / better rival (goal)`)],
    ...measured.map(({ goalRow, scenario, figure }) => [
      figure.unit === '' ? goalRow.label : `${goalRow.label}, ${figure.unit}`,
      ...balancers.map(name => {
        const peer = scenario.peers.find(candidate => candidate.name === name);
        return formatNumber(peer && spreadOf(peer, figure.key)?.median, figure.digits);
      }),
      ...subjects.map(name => {
        const peer = scenario.peers.find(candidate => candidate.name === name);
        const ratio = formatNumber(peer && ratioInRow(goalRow, scenario, peer, figure), RATIO_DIGITS);
        return `${ratio}${inWords(standingOf(result, goalRow.label, name), goalRow)}`;
      }),
    ]),
  ];
}

function ratioInRow(
  { of }: GoalRow,
  scenario: ScenarioResult,
  peer: PeerResult,
  figure: Figure,
): number | undefined {
  return of === 'haproxy' ? ratioOf(scenario, peer, figure, HAPROXY) : ratioOf(scenario, peer, figure);
}

function inWords(standing: Standing | undefined, { of, unit = '' }: GoalRow): string {
  if (standing?.goal === undefined) return '';
  const goal =
    of === 'figure' ? `${String(standing.goal)} ${unit}` : formatNumber(standing.goal, RATIO_DIGITS);
  return ` (${goal}: ${standing.met === true ? 'met' : 'missed'})`;
}

function findFigure(
  result: Result,
  { scenario: name, figure: key }: GoalRow,
): { scenario: ScenarioResult; figure: Figure } | undefined {
  const scenario = result.scenarios.find(candidate => candidate.name === name);
  const figure = scenario?.figures.find(candidate => candidate.key === key);
  return scenario === undefined || figure === undefined ? undefined : { scenario, figure };
}

function digitsOf({ of }: GoalRow, { digits }: Figure): number {
  return of === 'figure' ? digits : RATIO_DIGITS;
}

/** For the `epoll` engine alone. */
function haproxyRow(label: string, scenario: string, figure: string, lb4: number): GoalRow {
  return { label, scenario, figure, goals: { lb4 }, of: 'haproxy' };
}

/** For the `epoll` engine alone. */
function countRow(label: string, scenario: string, figure: string, unit: string, lb4: number): GoalRow {
  return { label, scenario, figure, goals: { lb4 }, of: 'figure', unit };
}

function startRow(label: string, figure: string, unit: string, goal: number): GoalRow {
  return { label, scenario: 'start', figure, goals: { 'lb4-2w': goal }, of: 'figure', unit };
}

/** Percent of a core that sharing counts may take; the same for both of lb4's peers. */
function costRow(label: string, figure: string, goal: number): GoalRow {
  return {
    label,
    scenario: 'mirror',
    figure,
    goals: { lb4: goal, 'lb4-node': goal },
    of: 'figure',
    unit: '%',
  };
}

function row(label: string, scenario: string, figure: string, lb4: number, lb4Node: number): GoalRow {
  return { label, scenario, figure, goals: { lb4, 'lb4-node': lb4Node }, of: 'better rival' };
}
