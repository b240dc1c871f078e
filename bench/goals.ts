/**
 * The ratios that lb4 is held to, and how a result stands against them. Pure.
 *
 * A goal is a ratio to the better of HAProxy and nginx in the same run (bench/README.md says why), except for what the
 * rivals do not have or what is counted, not timed: there it is the figure itself.
 */
import { formatNumber, type Rows } from './format.ts';
import type { Result, ScenarioResult } from './result-file.ts';
import { ratioOf, spreadOf } from './summary.ts';

type Figure = ScenarioResult['figures'][number];

const RATIO_DIGITS = 2;

interface GoalRow {
  readonly label: string;
  readonly scenario: string;
  readonly figure: string;
  /** By the name of lb4's peer. */
  readonly goals: Readonly<Record<string, number>>;
  /** `ratio` to the better rival, or the figure itself. */
  readonly of: 'ratio' | 'figure';
}

const GOALS: readonly GoalRow[] = [
  row('CPU per small keep-alive request', 'small', 'cpuUsPerRequest', 1, 1.5),
  row('CPU per GB of bulk', 'bulk', 'cpuMsPerGb', 0.35, 1.6),
  row('CPU per new connection', 'connect', 'cpuUsPerConnection', 1.05, 2.2),
  row('memory per idle session', 'idle', 'kibibytesPerSession', 0.6, 4),
  row('p99 latency at half of peak', 'latency', 'p99Ms', 1.1, 1.5),
  {
    label: 'system calls per short session',
    scenario: 'syscalls',
    figure: 'callsPerSession',
    goals: { lb4: 15 },
    of: 'figure',
  },
  ...(['idle', 'sparse', 'busy'] as const).flatMap(situation => [
    costRow(`CPU of the mirror, ${situation}`, `${situation}InstancePercent`, 1),
    costRow(`CPU of Redis for 20 instances, ${situation}`, `${situation}RedisPercent`, 2),
  ]),
];

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
    goalRow.of === 'ratio'
      ? ratioOf(found.scenario, peer, found.figure)
      : spreadOf(peer, found.figure.key)?.median;
  if (value === undefined) return undefined;
  const goal = goalRow.goals[peerName];
  const digits = digitsOf(goalRow, found.figure);
  return { value, goal, met: goal === undefined ? undefined : Number(value.toFixed(digits)) <= goal };
}

/** The table of goals: one row per goal that was measured; empty but for its head if none was. */
export function goalRows(result: Result): Rows {
  const measured = GOALS.flatMap(goalRow => {
    const found = findFigure(result, goalRow);
    return found === undefined ? [] : [{ goalRow, ...found }];
  });
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
        const ratio = formatNumber(peer && ratioOf(scenario, peer, figure), 2);
        return `${ratio}${inWords(standingOf(result, goalRow.label, name), goalRow, figure)}`;
      }),
    ]),
  ];
}

function inWords(standing: Standing | undefined, { of }: GoalRow, { unit }: Figure): string {
  if (standing?.goal === undefined) return '';
  const goal =
    of === 'ratio'
      ? formatNumber(standing.goal, RATIO_DIGITS)
      : `${formatNumber(standing.goal, 0)} ${unit === '' ? 'calls' : unit}`;
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
  return of === 'ratio' ? RATIO_DIGITS : digits;
}

/** Percent of a core that sharing counts may take; the same for both of lb4's peers. */
function costRow(label: string, figure: string, goal: number): GoalRow {
  return { label, scenario: 'mirror', figure, goals: { lb4: goal, 'lb4-node': goal }, of: 'figure' };
}

function row(label: string, scenario: string, figure: string, lb4: number, lb4Node: number): GoalRow {
  return { label, scenario, figure, goals: { lb4, 'lb4-node': lb4Node }, of: 'ratio' };
}
