/**
 * The list of `lb4 top`: each upstream with its backends, in columns as wide as the terminal allows.
 *
 * Place: a part of view.ts. A reason stands behind its backend where there is room, else on a line of its own.
 */
import type { BackendView, UpstreamView } from '../../model/snapshot.ts';
import { formatAge } from '../client/table.ts';
import { barOf, fit, safe, sparkline, type Glyphs } from './glyphs.ts';
import type { Figures, Flow } from '../../observe/figures.ts';
import type { History } from './history.ts';
import { span, type Line, type Span, type Style } from './screen.ts';
import { wrapped } from '../wrapped.ts';
import type { ViewState } from './view-state.ts';
import { bytesText, failedStyle, failedText, fullness, rateText, spread, timeText } from './view-values.ts';

/** Widths of columns; 0: it is left out. */
interface Columns {
  readonly name: number;
  readonly age: number;
  readonly bar: number;
  readonly figure: number;
  readonly bytes: number;
  readonly failed: number;
  readonly connect: number;
  readonly weight: number;
  readonly spark: number;
  /** Room behind all of them, for reasons. */
  readonly rest: number;
}

/** What is drawn, and for how wide a terminal. */
export interface Look {
  readonly history: History;
  readonly figures: Figures;
  readonly width: number;
  readonly glyphs: Glyphs;
  /** Where not all columns have room. */
  readonly columns: ViewState['columns'];
}

const MARK = 2;
const STATE = 10;
const RATE = 6;
const GAP = 1;
/** From here on all columns have room. */
export const WHOLE_WIDTH = 112;

/** By the width alone, so that columns stay where they are while figures change. */
function columnsOf(width: number, shown: ViewState['columns']): Columns {
  const isWhole = width >= WHOLE_WIDTH;
  const hasLoad = isWhole || shown === 'load';
  const hasTraffic = isWhole || shown === 'traffic';
  const room = {
    age: hasLoad || width >= 92 ? 7 : 0,
    bar: !hasLoad ? 0 : width >= 150 ? 20 : isWhole ? 10 : width >= 90 ? 12 : width >= 70 ? 8 : 0,
    figure: width >= 100 && !isWhole ? 11 : width >= 60 ? 9 : 6,
    bytes: hasTraffic ? 7 : 0,
    failed: hasTraffic ? 6 : 0,
    connect: hasTraffic && width >= 60 ? 7 : 0,
    weight: hasLoad && width >= 70 ? 6 : 0,
    spark: width >= 150 ? 20 : width >= 92 ? 10 : 0,
  };
  const fixed = [STATE, RATE, ...Object.values(room)].reduce(
    (sum, each) => sum + (each === 0 ? 0 : each + GAP),
    MARK,
  );
  const name = Math.min(Math.max(width - fixed, 8), 30);
  return { ...room, name, rest: width - fixed - name };
}

export function headOfList({ width, columns }: Pick<Look, 'width' | 'columns'>): Line {
  const { name, age, bar, figure, bytes, failed, connect, weight, spark } = columnsOf(width, columns);
  const cell = (text: string, room: number): string => (room === 0 ? '' : text.padStart(room));
  const text = joined([
    `${' '.repeat(MARK)}${'BACKEND'.padEnd(name)}`,
    'STATE'.padEnd(STATE),
    age === 0 ? '' : 'FOR'.padEnd(age),
    bar === 0 ? 'SESS'.padStart(figure) : 'SESSIONS'.padEnd(bar + GAP + figure),
    'NEW/S'.padStart(RATE),
    cell('BYTES/S', bytes),
    cell('FAILED', failed),
    cell('CONNECT', connect),
    cell('WEIGHT', weight),
    spark === 0 ? '' : 'MINUTE'.padEnd(spark),
  ]);
  return [span(text.trimEnd().slice(0, width), 'dim')];
}

export function linesOfUpstream(upstream: UpstreamView, shown: readonly BackendView[], look: Look): Line[] {
  const busiest = Math.max(...upstream.backends.map(({ sessions }) => sessions), 1);
  return [
    titleOf(upstream, look),
    ...shown.flatMap(backend => linesOfBackend(upstream.name, backend, busiest, look)),
  ];
}

/** Its rate and its last minute stand on the right. */
function titleOf(
  { name, strategy, mode, queue, backends, overrides, sources = [] }: UpstreamView,
  { history, figures, width, glyphs }: Look,
): Line {
  const rates = history.upstream(name);
  const flow = figures.upstream(name);
  const members = backends.filter(({ state }) => state !== 'removed');
  const taking = members.filter(({ takesSessions }) => takesSessions).length;
  const parts: Line = [
    span(fit(safe(name, glyphs), Math.floor(width / 3), glyphs), 'bold'),
    span(`  ${fit(safe(strategy, glyphs), 20, glyphs, 'ends')}`, 'dim'),
    ...(mode === 'normal' ? [] : [span(`  ${mode}`, mode === 'backups' ? 'warn' : 'bad')]),
    span(`  ${taking} of ${members.length} take sessions`),
    ...(queue.waiting === 0
      ? []
      : [span(`  ${queue.waiting} of ${queue.max} wait, up to ${formatAge(queue.longestMs)}`, 'bad')]),
    ...(flow.failed === 0 ? [] : [span(`  ${failedText(flow)} failed`, failedStyle(flow))]),
    ...(overrides.length === 0 ? [] : [span('  changed by operators', 'warn')]),
    ...sources.flatMap(({ source, state }) =>
      state === 'failing' ? [span(`  ${fit(safe(source, glyphs), 30, glyphs, 'ends')} fails`, 'bad')] : [],
    ),
  ];
  const rate = rates.at(-1);
  const minute = width >= 110 ? 20 : 12;
  const right =
    rate === undefined
      ? []
      : [span(` ${rateText(rate)} new/s `, 'dim'), span(sparkline(rates, minute, glyphs), 'good')];
  return spread(parts, right, width, glyphs);
}

function linesOfBackend(
  upstream: string,
  backend: BackendView,
  busiest: number,
  { history, figures, width, glyphs, columns: shown }: Look,
): Line[] {
  const columns = columnsOf(width, shown);
  const rates = history.backend(upstream, backend);
  const {
    backend: address,
    state,
    stateForMs,
    sessions,
    elsewhere,
    maxSessions,
    weight,
    share,
    why,
  } = backend;
  const style = STYLES[state];
  const others = elsewhere > 0 ? `+${elsewhere}` : '';
  const figure = maxSessions === undefined ? `${sessions}${others}` : `${sessions}${others}/${maxSessions}`;
  const bar = barOf(sessions / (maxSessions ?? busiest), columns.bar, glyphs);
  const rate = rates.at(-1);
  const percent = share === 1 ? '' : `×${Math.round(share * 100)}%`;
  const shownWeight = `${weight}${glyphs.charset === 'ascii' ? percent.replace('×', '*') : percent}`;
  const line: Span[] = [
    span(`${glyphs.marks[state]} `, style),
    span(
      fit(safe(address, glyphs), columns.name, glyphs, 'ends').padEnd(columns.name),
      state === 'up' ? 'plain' : style,
    ),
    span(` ${state.padEnd(STATE)}`, style),
    ...(columns.age === 0 ? [] : [span(` ${formatAge(stateForMs).padEnd(columns.age)}`, 'dim')]),
    ...(columns.bar === 0
      ? [span(` ${fit(figure, columns.figure, glyphs).padStart(columns.figure)}`)]
      : [
          span(' '),
          span(bar, maxSessions === undefined ? 'dim' : fullness(sessions, maxSessions)),
          span(` ${fit(figure, columns.figure, glyphs).padEnd(columns.figure)}`),
        ]),
    span(` ${(rate === undefined ? '-' : rateText(rate)).padStart(RATE)}`),
    ...trafficOf(figures.backend(upstream, address), columns),
    ...(columns.weight === 0
      ? []
      : [span(` ${fit(shownWeight, columns.weight, glyphs).padStart(columns.weight)}`, 'dim')]),
    ...(columns.spark === 0 ? [] : [span(` ${sparkline(rates, columns.spark, glyphs)}`, 'good')]),
  ];
  if (why === undefined) return [line];
  const reason = safe(why, glyphs);
  if (reason.length + 2 <= columns.rest) return [[...line, span(`  ${reason}`, style)]];
  const arrow = glyphs.charset === 'ascii' ? '> ' : '→ ';
  const [first = '', ...more] = wrapped(reason, width - 6);
  const under = more.length === 0 ? [] : [fit(more.join(' '), width - 6, glyphs)];
  return [
    line,
    ...[first, ...under].map((text, i) => [span(`    ${i === 0 ? arrow : '  '}`, 'dim'), span(text, style)]),
  ];
}

function trafficOf(flow: Flow, { bytes, failed, connect }: Columns): Span[] {
  if (bytes === 0) return [];
  const sent = flow.bytes === undefined ? '-' : bytesText(flow.bytes.client + flow.bytes.backend);
  return [
    span(` ${sent.padStart(bytes)}`),
    span(` ${failedText(flow).padStart(failed)}`, failedStyle(flow)),
    ...(connect === 0 ? [] : [span(` ${timeText(flow.connect, 0.99).padStart(connect)}`)]),
  ];
}

const STYLES: Readonly<Record<BackendView['state'], Style>> = {
  ...{ up: 'good', standby: 'plain', down: 'bad', unresolved: 'bad', ejected: 'bad' },
  ...{ trial: 'warn', drain: 'warn', maint: 'warn', removed: 'dim' },
};

function joined(cells: readonly string[]): string {
  return cells.filter(cell => cell !== '').join(' ');
}
