/**
 * Draws docs/many-instances.svg and writes the table in docs/many-instances.md: how evenly backends are loaded by
 * several instances, with and without sharing, by the strategies and the mirror that ship (src/sim).
 *
 * `node dist/scripts/plot-many-instances.js` runs the simulation for some minutes, keeps what came out in
 * docs/many-instances.json, and writes both from it. `--check` writes nothing and exits 1 if chart or table are not
 * what the kept figures say, or if the cheapest of these, run again, come out differently.
 */
import {
  figuresOf,
  imbalance,
  LOCAL_WAYS,
  ROWS,
  scenarioOf,
  SHARED_WAYS,
  type Figures,
  type Row,
} from '../src/sim/table.ts';
import { isCheck, keepUpToDate, noteStale, readText } from './generated-files.ts';
import { renderChart, TEXT } from './svg-chart.ts';

const PROGRAM = 'plot-many-instances';
const FILES = {
  figures: 'docs/many-instances.json',
  chart: 'docs/many-instances.svg',
  document: 'docs/many-instances.md',
};
const MARKS = { begin: '<!-- the simulation: begin -->\n', end: '<!-- the simulation: end -->' };

const SEEDS = 20;
/** So many times as long as in the tests. */
const TIMES = 4;

type RowName = keyof typeof ROWS;
type Kept = Readonly<Record<RowName, Figures>>;

const ROW_NAMES = ['manyShort', 'manyLong', 'few', 'fewLong'] as const satisfies readonly RowName[];

const digits = (figure: number): number => Number(figure.toFixed(3));

async function run(): Promise<Kept> {
  const row = async (name: RowName): Promise<Figures> => {
    process.stderr.write(`running: ${ROWS[name].name}\n`);
    const { local, shared } = await figuresOf(ROWS[name], SEEDS, TIMES);
    return {
      local: {
        random: digits(local.random),
        localLeastconn: digits(local.localLeastconn),
        localP2c: digits(local.localP2c),
      },
      shared: {
        sharedLeastconn: shared.sharedLeastconn.map(digits),
        sharedP2c: shared.sharedP2c.map(digits),
        polled: shared.polled.map(digits),
        lb4: shared.lb4.map(digits),
      },
    };
  };
  return {
    manyShort: await row('manyShort'),
    manyLong: await row('manyLong'),
    few: await row('few'),
    fewLong: await row('fewLong'),
  };
}

/** What of the kept figures comes out differently: those without sharing, and lb4's where news is old and helps. */
async function differences(kept: Kept): Promise<string[]> {
  const found: string[] = [];
  for (const name of ROW_NAMES) {
    const row: Row = ROWS[name];
    const { local, shared } = kept[name];
    const scenario = scenarioOf(row, TIMES);
    const alone = await imbalance(scenario, LOCAL_WAYS.localLeastconn, 0, SEEDS);
    if (digits(alone) !== local.localLeastconn) found.push(`${name}, local: ${digits(alone)}`);
    if (!row.isSparse) continue;
    const [, , periodMs] = row.periodsMs;
    const oldest = await imbalance(scenario, SHARED_WAYS.lb4, periodMs, SEEDS);
    if (digits(oldest) !== shared.lb4[2]) found.push(`${name}, lb4 at ${periodMs} ms: ${digits(oldest)}`);
  }
  return found;
}

function periodText(periodMs: number): string {
  return periodMs < 1_000 ? `${periodMs} ms` : `${periodMs / 1_000} s`;
}

/** `8 instances, 20 backends, 2 new sessions a second of 20 s`. */
function loadOf({ instances, backends, ratePerS, meanLifeMs }: Row): string {
  return `${instances} instances, ${backends} backends, ${ratePerS}/s of ${meanLifeMs / 1_000} s each`;
}

function table(kept: Kept): string {
  const lines = [
    '| cluster | age | `random` | `leastconn`, local | `p2c`, local | shared, least | shared, two choices | lb4, polling only | **lb4** |',
    '|---|---|---|---|---|---|---|---|---|',
  ];
  for (const name of ROW_NAMES) {
    const row = ROWS[name];
    const { local, shared } = kept[name];
    for (const [i, periodMs] of row.periodsMs.entries()) {
      const cluster = i === 0 ? `${row.name}: ${loadOf(row)}` : '';
      const alone = [local.random, local.localLeastconn, local.localP2c];
      const { sharedLeastconn, sharedP2c, polled, lb4 } = shared;
      const cells = [...alone, ...[sharedLeastconn, sharedP2c, polled, lb4].map(column => column[i] ?? NaN)];
      const texts = cells.map(cell => cell.toFixed(2));
      texts.push(`**${texts.pop() ?? ''}**`);
      lines.push(`| ${[cluster, periodText(periodMs), ...texts].join(' | ')} |`);
    }
  }
  return `${lines.join('\n')}\n`;
}

const LINES = [
  { name: 'leastconn, not shared', color: '#5f6670', width: 2 },
  { name: 'shared, the least loaded', color: '#cf4a17', width: 2 },
  { name: 'shared, two choices', color: '#e0a33a', width: 2 },
  { name: 'lb4', color: '#0b63c4', width: 3 },
] as const;
/** Top of each panel's axis, and its step. */
const AXES: Readonly<Record<RowName, readonly [max: number, step: number]>> = {
  manyShort: [8, 1],
  manyLong: [1.3, 0.1],
  few: [3.5, 0.5],
  fewLong: [1.3, 0.1],
};

function draw(kept: Kept): string {
  const panels = ROW_NAMES.map((name, panel) => {
    const row: Row = ROWS[name];
    const { local, shared } = kept[name];
    const [max, interval] = AXES[name];
    const data = [
      row.periodsMs.map(() => local.localLeastconn),
      shared.sharedLeastconn,
      shared.sharedP2c,
      shared.lb4,
    ];
    const [left, top] = [panel % 2 === 0 ? 64 : 494, panel < 2 ? 82 : 372];
    const label = { color: TEXT, fontSize: 12 };
    return {
      grid: { left, top, width: 342, height: 200 },
      title: {
        ...{ left: left - 6, top: top - 40, text: row.name, subtext: loadOf(row), itemGap: 3 },
        textStyle: { color: TEXT, fontSize: 13 },
        subtextStyle: { color: TEXT, fontSize: 11 },
      },
      xAxis: {
        ...{ gridIndex: panel, type: 'category' as const, data: row.periodsMs.map(periodText) },
        ...{ boundaryGap: false, axisLabel: label, axisLine: { lineStyle: { color: TEXT } } },
        ...{ name: panel < 2 ? '' : 'age of what is shared', nameGap: 30 },
        ...{ nameLocation: 'middle' as const, nameTextStyle: { color: TEXT, fontSize: 13 } },
      },
      yAxis: {
        ...{ gridIndex: panel, type: 'value' as const, min: 1, max, interval, axisLabel: label },
        ...{ name: panel % 2 === 0 ? 'most loaded / mean' : '', nameGap: 38 },
        ...{ nameLocation: 'middle' as const, nameTextStyle: { color: TEXT, fontSize: 13 } },
        splitLine: { lineStyle: { color: '#e4e7eb' } },
      },
      series: LINES.map(({ name: line, color, width }, i) => ({
        ...{ type: 'line' as const, name: line, color, xAxisIndex: panel, yAxisIndex: panel, silent: true },
        ...{ data: [...(data[i] ?? [])], symbol: 'circle', symbolSize: 6, lineStyle: { color, width } },
      })),
    };
  });
  const content = {
    title: panels.map(({ title }) => title),
    grid: panels.map(({ grid }) => grid),
    xAxis: panels.map(({ xAxis }) => xAxis),
    yAxis: panels.map(({ yAxis }) => yAxis),
    series: panels.flatMap(({ series }) => series),
  };
  return renderChart({ height: 630, names: LINES.map(({ name }) => name), content });
}

/** The document with the table between its marks. */
function withTable(document: string, text: string): string {
  const from = document.indexOf(MARKS.begin) + MARKS.begin.length;
  const to = document.indexOf(MARKS.end);
  if (to < from) throw new Error(`${FILES.document} has no place for the table`);
  return `${document.slice(0, from)}\n${text}\n${document.slice(to)}`;
}

if (!isCheck) keepUpToDate({ [FILES.figures]: `${JSON.stringify(await run())}\n` }, PROGRAM);

// Written by this very script.
const kept = JSON.parse(readText(FILES.figures)) as Kept;
const document = withTable(readText(FILES.document), table(kept));
keepUpToDate({ [FILES.chart]: draw(kept), [FILES.document]: document }, PROGRAM);
if (isCheck) for (const difference of await differences(kept)) noteStale(difference, PROGRAM);
