/**
 * The whole picture of `lb4 top`: head, list, foot.
 *
 * Place: pure; top.ts calls it with the latest answer, and Screen turns the lines into what is written. `--once` prints
 * the same lines without a height.
 */
import { clockAt, summaryOf, type Tone } from '../../observe/summary.ts';
import { threadsText } from '../threads-text.ts';
import type { StatusAnswer } from '../client/status.ts';
import { troublesOfLogs } from '../client/attention.ts';
import { formatAge } from '../client/table.ts';
import { barOf, fit, safe, sparkline, type Glyphs } from './glyphs.ts';
import type { Figures } from '../../observe/figures.ts';
import type { History } from './history.ts';
import { headOfList, linesOfUpstream, WHOLE_WIDTH } from './rows.ts';
import { span, type Line, type Span, type Style } from './screen.ts';
import { wrapped } from '../wrapped.ts';
import { bytesText, failedStyle, failedText, fullness, rateText, spread, timeText } from './view-values.ts';
import { shownBackends, SORTS, type ViewState } from './view-state.ts';

export interface Seen {
  readonly status: StatusAnswer;
  readonly history: History;
  readonly figures: Figures;
  /** The time of day at the reader's, in milliseconds since 1970. */
  readonly nowMs: number;
  readonly glyphs: Glyphs;
  /** Why there is no later answer; undefined while there is one. */
  readonly silence?: string | undefined;
  /** A time as the reader writes it; default: local, `14:02`. */
  readonly clock?: (ms: number) => string;
}

export interface Picture {
  readonly lines: readonly Line[];
  /** Lines of the list that fit on the screen, and the last one that can be the first of them. */
  readonly page: number;
  readonly most: number;
}

const STYLES: Readonly<Record<Tone, Style>> = { good: 'good', warn: 'warn', bad: 'bad' };
/** Widths from which there is room for more. */
const WIDE = 110;
const LEAST_WIDTH = 40;

/** @param height Infinity: as high as needed, and without what is for a keyboard */
export function pictureOf(seen: Seen, view: ViewState, width: number, height: number): Picture {
  const { glyphs } = seen;
  if (width < LEAST_WIDTH || height < 8) {
    const text = fit('too small: 40 columns and 8 lines are needed', width, glyphs);
    return { lines: [[span(text, 'warn')]], page: 1, most: 0 };
  }
  const head = headOf(seen, view, width);
  const list = view.isHelp ? helpOf(width) : listOf(seen, view, width);
  if (height === Infinity) return { lines: [...head, ...list], page: list.length, most: 0 };
  const page = Math.max(height - head.length - 1, 1);
  const most = Math.max(list.length - page, 0);
  const from = Math.min(view.scroll, most);
  const shown = list.slice(from, from + page);
  const blank: Line[] = new Array<Line>(Math.max(page - shown.length, 0)).fill([]);
  const below = list.length - from - shown.length;
  return {
    lines: [...head.slice(0, height - 2), ...shown, ...blank, footOf(view, below, width, glyphs)],
    page,
    most,
  };
}

function headOf(
  { status, history, figures, nowMs, glyphs, silence, clock = clockAt(nowMs) }: Seen,
  { columns }: ViewState,
  width: number,
): Line[] {
  const { name, version, state, ready, engine, workers, uptimeMs, pid } = status;
  const isReady = state === 'running' && !ready ? ', not ready' : '';
  const threads = threadsText(engine, workers);
  const about = `  ${state}${isReady} for ${formatAge(uptimeMs)}, ${engine}, ${threads}, pid ${pid}`;
  const summary = summaryOf(status, nowMs, clock);
  const said = wrapped(safe(summary.text, glyphs), width - 2);
  const style = STYLES[summary.tone];
  return [
    spread([span(`lb4 ${safe(name, glyphs)}`, 'title'), span(about)], [span(version, 'dim')], width, glyphs),
    ...said.map((text, i) => [
      span(i === 0 ? `${glyphs.marks[summary.tone]} ` : '  ', style),
      span(text, style),
    ]),
    ...(silence === undefined
      ? []
      : [[span(fit(`${glyphs.marks.bad} ${safe(silence, glyphs)}`, width, glyphs), 'bad')]]),
    sessionsLine(status, history, width, glyphs),
    ...trafficLine(figures),
    listenersLine(status, width, glyphs),
    ...troubles(status).map(text => [
      span(fit(`${glyphs.marks.warn} ${safe(text, glyphs)}`, width, glyphs), 'warn'),
    ]),
    [],
    headOfList({ width, columns }),
  ];
}

function sessionsLine(
  { sessions, sessionsEver, maxSessions }: StatusAnswer,
  history: History,
  width: number,
  glyphs: Glyphs,
): Line {
  const bar = width >= WIDE ? 30 : 12;
  const rate = history.instance.at(-1);
  const line = sparkline(history.instance, width >= WIDE ? 30 : 12, glyphs);
  return [
    span('sessions ', 'dim'),
    span(sessions.toLocaleString('en-US'), 'bold'),
    ...(maxSessions === undefined
      ? [span(' (no limit)', 'dim')]
      : [
          span(` of ${maxSessions.toLocaleString('en-US')} `),
          span(barOf(sessions / maxSessions, bar, glyphs), fullness(sessions, maxSessions)),
        ]),
    span('   new/s ', 'dim'),
    span(rate === undefined ? '-' : rateText(rate), 'bold'),
    span(` ${line}`, 'good'),
    span('   ever ', 'dim'),
    span(sessionsEver.toLocaleString('en-US')),
  ];
}

/** Absent before the second look. */
function trafficLine({ instance }: Figures): Line[] {
  const { bytes, connect } = instance;
  if (bytes === undefined) return [];
  return [
    [
      span('traffic  ', 'dim'),
      span(`${bytesText(bytes.client)}B/s`, 'bold'),
      span(' in, '),
      span(`${bytesText(bytes.backend)}B/s`, 'bold'),
      span(' out   '),
      span('failed ', 'dim'),
      span(failedText(instance), instance.failed === 0 ? 'bold' : failedStyle(instance)),
      span('   connect ', 'dim'),
      span(timeText(connect, 0.5), 'bold'),
      ...(connect.length === 0 ? [] : [span(', 99% in '), span(timeText(connect, 0.99), 'bold')]),
    ],
  ];
}

/** Those that let clients wait, or do not listen, come first. */
function listenersLine({ listeners }: StatusAnswer, width: number, glyphs: Glyphs): Line {
  const spans: Span[] = [span('listeners ', 'dim')];
  let room = width - 'listeners '.length;
  const isBad = (each: (typeof listeners)[number]): boolean => each.paused || each.stopped === true;
  const order = listeners.toSorted((a, b) => Number(isBad(b)) - Number(isBad(a)));
  for (const [i, listener] of order.entries()) {
    const { name, addresses, stopped, paused, pausedMs, sessions } = listener;
    const open = stopped === true ? ' stopped' : '';
    const where = addresses[0] === undefined ? open : ` ${safe(addresses[0], glyphs)}`;
    const more = addresses.length > 1 ? ` and ${addresses.length - 1} more` : '';
    const full = paused ? ` clients wait${pausedMs === undefined ? '' : ` for ${formatAge(pausedMs)}`}` : '';
    const text = `${i === 0 ? '' : ` ${glyphs.dot} `}${safe(name, glyphs)}${where}${more}: ${sessions}${full}`;
    const left = order.length - i;
    const rest = ` ${glyphs.dot} ${left} more`;
    // Room for the number of those that are left out.
    if (text.length > room - (left > 1 ? rest.length : 0)) {
      spans.push(i === 0 ? span(fit(text, room, glyphs)) : span(rest, 'dim'));
      break;
    }
    spans.push(span(text, isBad(listener) ? 'bad' : 'plain'));
    room -= text.length;
  }
  return spans;
}

/** What is wrong beside backends. */
function troubles({ workers, mirror, logs }: StatusAnswer): string[] {
  return [
    ...troublesOfLogs(logs),
    ...workers
      .filter(({ state }) => state !== 'running')
      .map(({ worker, state }) => `worker ${worker} is ${state}`),
    ...(mirror?.upstreams ?? []).flatMap(({ upstream, mode, trouble }) =>
      mode === 'local' && trouble !== undefined
        ? [`counts of ${upstream} are not shared: ${trouble.message}`]
        : [],
    ),
  ];
}

function listOf({ status, history, figures, glyphs }: Seen, view: ViewState, width: number): Line[] {
  const look = { history, figures, width, glyphs, columns: view.columns };
  const lines: Line[] = [];
  for (const upstream of status.upstreams) {
    const rateOf = (backend: (typeof upstream.backends)[number]): number =>
      history.backend(upstream.name, backend).at(-1) ?? 0;
    const backends = shownBackends(upstream.name, upstream.backends, view, rateOf);
    if (backends.length === 0 && view.filter !== '') continue;
    lines.push(...linesOfUpstream(upstream, backends, look), []);
  }
  if (lines.length === 0) return [[span(`no backend matches ${safe(view.filter, glyphs)}`, 'dim')]];
  return lines.slice(0, -1);
}

function footOf(
  { sort, filter, isTyping, isHelp }: ViewState,
  below: number,
  width: number,
  glyphs: Glyphs,
): Line {
  const wanted = safe(filter, glyphs);
  if (isTyping) return [span(` filter: ${wanted}_`.padEnd(width), 'inverse')];
  const more = width >= WHOLE_WIDTH ? '' : '   c columns';
  const keys = isHelp ? ' ? back   q quit' : ` q quit   s sort   / filter${more}   ? help`;
  const chosen = [
    ...(sort === SORTS[0] ? [] : [`by ${sort}`]),
    ...(filter === '' ? [] : [`only ${wanted}`]),
    ...(below > 0 ? [`${below} more below`] : []),
  ].join(', ');
  const text = `${keys}${chosen === '' ? '' : `   ${chosen}`}`;
  return [span(fit(text, width, glyphs).padEnd(width), 'inverse')];
}

const HELP: readonly (readonly [keys: string, meaning: string])[] = [
  ['q, Ctrl-C', 'quit'],
  ['s', `next order of backends: ${SORTS.join(', ')}`],
  ['/', 'filter by a part of an upstream, an address or a state; Enter keeps it, Esc clears it'],
  ['c', 'other columns, where not all have room'],
  ['arrows, j k', 'scroll; so do Page Up and Down, Home and End'],
  ['Ctrl-L', 'draw everything again'],
  ['Ctrl-Z', 'stop; fg comes back'],
  ['', ''],
  ['FOR', 'for how long the backend is in this state'],
  ['SESSIONS', 'a bar against maxSessions; without a limit it is dim, against the busiest of the upstream'],
  ['NEW/S', 'sessions that got a connection to it in the last second'],
  ['BYTES/S', 'bytes of clients and backend per second, in the last second'],
  ['FAILED', 'of attempts in the last minute: failed connects, and sessions that the backend has reset'],
  ['CONNECT', 'time to connect that 99 of 100 did not exceed in the last minute'],
  ['MINUTE', 'NEW/S of the last minute; its highest value is a full cell'],
];

function helpOf(width: number): Line[] {
  const column = 14;
  return HELP.flatMap(([keys, meaning]) =>
    wrapped(meaning, width - column).map((text, i) => [
      span((i === 0 ? keys : '').padEnd(column), 'bold'),
      span(text),
    ]),
  );
}
