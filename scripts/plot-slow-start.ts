/**
 * Draws docs/slow-start.svg: live sessions of a backend that recovers under least connections, with and without slow
 * start, by the strategies and the ramp that ship. `node dist/scripts/plot-slow-start.js` writes it; `--check` writes
 * nothing and exits 1 if it is stale. The same bytes in every run.
 */
import { simulateRecovery, type Recovery, type RecoveryRun } from '../src/sim/slow-start.ts';
import { keepUpToDate } from './generated-files.ts';
import { renderChart, TEXT } from './svg-chart.ts';

const FILE = 'docs/slow-start.svg';

const RAMP_MS = 10_000;
const SAMPLE_MS = 100;
/** New sessions are counted over so long. */
const RATE_MS = 500;
const RECOVERY: Omit<Recovery, 'slowStartMs'> = {
  seed: 1,
  backends: [{ weight: 1 }, { weight: 1 }, { weight: 1 }, { weight: 1 }],
  sessions: 200,
  meanSessionMs: 5_000,
  fromMs: -1_000,
  untilMs: 14_000,
};

type Point = [seconds: number, value: number];

const COLOURS = { ramp: '#0b63c4', allowance: '#9cc4f0', others: '#5f6670', herd: '#cf4a17' };

/** What `value` makes of the last placement before each sample. */
function sampled(
  { placements }: RecoveryRun,
  value: (live: readonly number[], atMs: number) => number,
): Point[] {
  const points: Point[] = [];
  let next = 0;
  let live: readonly number[] = [];
  for (let atMs = RECOVERY.fromMs; atMs <= RECOVERY.untilMs; atMs += SAMPLE_MS) {
    for (; (placements[next]?.atMs ?? Infinity) <= atMs; next++) live = placements[next]?.live ?? live;
    points.push([atMs / 1000, Number(value(live, atMs).toFixed(2))]);
  }
  return points;
}

const recovering = ([first = 0]: readonly number[]): number => first;
const meanOfOthers = ([, ...others]: readonly number[]): number =>
  others.reduce((sum, live) => sum + live, 0) / others.length;

/** The ramp's line, in parts of what the others hold; from 0 on. */
function allowed(run: RecoveryRun): Point[] {
  const points = sampled(run, (live, atMs) => Math.min(0.1 + (0.9 * atMs) / RAMP_MS, 1) * meanOfOthers(live));
  return points.filter(([seconds]) => seconds >= 0);
}

/** New sessions a second that the recovering backend gets. */
function rates({ placements }: RecoveryRun): Point[] {
  const points: Point[] = [];
  for (let fromMs = RECOVERY.fromMs; fromMs < RECOVERY.untilMs; fromMs += RATE_MS) {
    const got = placements.filter(
      ({ atMs, backend }) => backend === 0 && atMs >= fromMs && atMs < fromMs + RATE_MS,
    );
    points.push([fromMs / 1000, (got.length * 1000) / RATE_MS]);
  }
  // A step is drawn from its point to the next one.
  return [...points, [RECOVERY.untilMs / 1000, points.at(-1)?.[1] ?? 0]];
}

function draw(): string {
  const slow = simulateRecovery({ ...RECOVERY, slowStartMs: RAMP_MS });
  const herd = simulateRecovery({ ...RECOVERY, slowStartMs: 0 });
  const names = {
    ramp: 'the backend, slowStart: 10s',
    allowance: 'what its ramp allows',
    others: 'the others, on average',
    herd: 'the backend, no slow start',
  };
  const line = (name: string, color: string, data: Point[], width: number) => ({
    ...{ type: 'line' as const, name, data, color, showSymbol: false, silent: true },
    lineStyle: { color, width },
  });
  const axisOf = (gridIndex: number) => ({
    gridIndex,
    nameTextStyle: { color: TEXT, fontSize: 13 },
    axisLabel: { color: TEXT, fontSize: 12 },
    axisLine: { show: true, onZero: false, lineStyle: { color: TEXT } },
    axisTick: { show: true },
  });
  const xAxis = (gridIndex: number, name: string) => ({
    ...axisOf(gridIndex),
    ...{
      type: 'value' as const,
      min: RECOVERY.fromMs / 1000,
      max: RECOVERY.untilMs / 1000,
      interval: 1,
      name,
    },
    ...{ nameLocation: 'middle' as const, nameGap: 28, splitLine: { show: false } },
  });
  const yAxis = (gridIndex: number, name: string, max: number, interval: number) => ({
    ...axisOf(gridIndex),
    ...{ type: 'value' as const, min: 0, max, interval, name },
    ...{ nameLocation: 'middle' as const, nameGap: 38, splitLine: { lineStyle: { color: '#e4e7eb' } } },
  });
  const content = {
    grid: [
      { left: 64, right: 24, top: 44, height: 290 },
      { left: 64, right: 24, top: 374, height: 130 },
    ],
    xAxis: [xAxis(0, ''), xAxis(1, 'seconds since the backend came back')],
    yAxis: [yAxis(0, 'live sessions', 80, 20), yAxis(1, 'new sessions a second', 50, 10)],
    series: [
      {
        ...line(names.allowance, COLOURS.allowance, allowed(slow), 1),
        areaStyle: { color: '#d9e8f9', opacity: 1 },
      },
      line(names.others, COLOURS.others, sampled(slow, meanOfOthers), 2),
      line(names.herd, COLOURS.herd, sampled(herd, recovering), 2),
      line(names.ramp, COLOURS.ramp, sampled(slow, recovering), 2.5),
      { ...line(names.herd, COLOURS.herd, rates(herd), 2), ...{ xAxisIndex: 1, yAxisIndex: 1, step: 'end' } },
      {
        ...line(names.ramp, COLOURS.ramp, rates(slow), 2.5),
        ...{ xAxisIndex: 1, yAxisIndex: 1, step: 'end' },
      },
    ],
  };
  return renderChart({ height: 560, names: Object.values(names), content });
}

keepUpToDate({ [FILE]: draw() }, 'plot-slow-start');
