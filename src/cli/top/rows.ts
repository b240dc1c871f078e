/**
 * The list of `lb4 top`: each upstream with its backends, in columns as wide as the terminal allows.
 *
 * Place: a part of view.ts. A reason stands behind its backend where there is room, else on a line of its own.
 */
import type { BackendView, UpstreamView } from '../../model/snapshot.ts';
import { formatAge } from '../client/table.ts';
import { barOf, fit, safe, sparkline, type Glyphs } from './glyphs.ts';
import type { History } from './history.ts';
import { span, type Line, type Span, type Style } from './screen.ts';
import { wrapped } from '../wrapped.ts';
import { fullness, rateText, spread } from './view-values.ts';

interface Columns {
  readonly name: number;
  readonly bar: number;
  readonly figure: number;
  readonly weight: number;
  readonly spark: number;
  /** Room behind all of them, for reasons. */
  readonly rest: number;
}

const MARK = 2;
const STATE = 10;
const AGE = 7;
const RATE = 6;
const GAP = 1;

/** By the width alone, so that columns stay where they are while figures change. */
function columnsOf(width: number): Columns {
  const bar = width >= 110 ? 20 : width >= 90 ? 12 : width >= 70 ? 8 : 0;
  const figure = width >= 100 ? 11 : width >= 60 ? 9 : 6;
  const weight = width >= 70 ? 6 : 0;
  const spark = width >= 110 ? 20 : width >= 92 ? 10 : 0;
  const fixed = [STATE, AGE, bar, figure, RATE, weight, spark].reduce(
    (sum, each) => sum + (each === 0 ? 0 : each + GAP),
    MARK,
  );
  const name = Math.min(Math.max(width - fixed, 8), 30);
  return { name, bar, figure, weight, spark, rest: width - fixed - name };
}

export function headOfList(width: number): Line {
  const { name, bar, figure, weight, spark } = columnsOf(width);
  const text = joined([
    `${' '.repeat(MARK)}${'BACKEND'.padEnd(name)}`,
    'STATE'.padEnd(STATE),
    'FOR'.padEnd(AGE),
    bar === 0 ? 'SESS'.padStart(figure) : 'SESSIONS'.padEnd(bar + GAP + figure),
    'NEW/S'.padStart(RATE),
    weight === 0 ? '' : 'WEIGHT'.padStart(weight),
    spark === 0 ? '' : 'MINUTE'.padEnd(spark),
  ]);
  return [span(text.trimEnd().slice(0, width), 'dim')];
}

export function linesOfUpstream(
  upstream: UpstreamView,
  shown: readonly BackendView[],
  history: History,
  width: number,
  glyphs: Glyphs,
): Line[] {
  const columns = columnsOf(width);
  const busiest = Math.max(...upstream.backends.map(({ sessions }) => sessions), 1);
  return [
    titleOf(upstream, history.upstream(upstream.name), width, glyphs),
    ...shown.flatMap(backend =>
      linesOfBackend(backend, busiest, history.backend(upstream.name, backend), columns, width, glyphs),
    ),
  ];
}

/** Its rate and its last minute stand on the right. */
function titleOf(
  { name, strategy, mode, queue, backends, overrides }: UpstreamView,
  rates: readonly number[],
  width: number,
  glyphs: Glyphs,
): Line {
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
    ...(overrides.length === 0 ? [] : [span('  changed by operators', 'warn')]),
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
  backend: BackendView,
  busiest: number,
  rates: readonly number[],
  columns: Columns,
  width: number,
  glyphs: Glyphs,
): Line[] {
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
    span(` ${formatAge(stateForMs).padEnd(AGE)}`, 'dim'),
    ...(columns.bar === 0
      ? [span(` ${fit(figure, columns.figure, glyphs).padStart(columns.figure)}`)]
      : [
          span(' '),
          span(bar, maxSessions === undefined ? 'dim' : fullness(sessions, maxSessions)),
          span(` ${fit(figure, columns.figure, glyphs).padEnd(columns.figure)}`),
        ]),
    span(` ${(rate === undefined ? '-' : rateText(rate)).padStart(RATE)}`),
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

const STYLES: Readonly<Record<BackendView['state'], Style>> = {
  ...{ up: 'good', standby: 'plain', down: 'bad', unresolved: 'bad', ejected: 'bad' },
  ...{ trial: 'warn', drain: 'warn', maint: 'warn', removed: 'dim' },
};

function joined(cells: readonly string[]): string {
  return cells.filter(cell => cell !== '').join(' ');
}
