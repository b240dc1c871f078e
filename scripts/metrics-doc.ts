/** docs/metrics.md: the tables of all metrics, from the tables that write them, between texts of its own. */
import { BACKEND, INSTANCE as COUNTED, LISTENER, UPSTREAM } from '../src/model/counter-view.ts';
import type { Counter, Histogram } from '../src/model/counter-view.ts';
import {
  BACKENDS,
  CERTIFICATES,
  INSTANCE,
  LISTENERS,
  LOGS,
  MIRRORED,
  PROCESS,
  SOURCES,
  UPSTREAMS,
  WORKERS,
} from '../src/observe/metrics/families.ts';
import { readText } from './generated-files.ts';

const SOURCE = 'scripts/metrics-doc.in';

interface State {
  readonly name: string;
  readonly help: string;
  readonly type?: 'counter';
  readonly states?: readonly string[];
}

type Counted = Readonly<Record<string, Counter | Histogram>>;

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const code = (word: string): string => `\`${word}\``;
const HEAD = [row(['metric', 'type', 'labels', 'meaning']), row(['---', '---', '---', '---'])];

function ofState({ name, help, type, states }: State, labels: readonly string[]): string {
  const own = states === undefined ? labels : [...labels, `state (${states.join(', ')})`];
  return row([code(name), type ?? 'gauge', own.join(', '), help]);
}

function ofCount(entry: Counter | Histogram, labels: readonly string[]): string {
  if (entry.kind === 'histogram') {
    const bounds = [entry.shown[0] ?? 0, entry.shown.at(-1) ?? 0].map(power => `2^${power}`);
    return row([
      code(entry.name),
      'histogram',
      labels.join(', '),
      `${entry.help} Buckets: ${bounds.join(' to ')} s.`,
    ]);
  }
  const own = entry.labels.map((label, i) => {
    const values = [...new Set(entry.series.map(each => each[i] ?? ''))];
    return entry.labels.includes('phase') ? label : `${label} (${values.join(', ')})`;
  });
  return row([code(entry.name), 'counter', [...labels, ...own].join(', '), entry.help]);
}

function table(states: readonly State[], counted: Counted, labels: readonly string[]): string {
  return [
    ...HEAD,
    ...states.map(each => ofState(each, labels)),
    ...Object.values(counted).map(each => ofCount(each, labels)),
  ].join('\n');
}

/** Every metric, for checks of what names them. */
export function metricNames(): readonly string[] {
  const states = [
    ...[INSTANCE, PROCESS, LOGS, WORKERS, LISTENERS, CERTIFICATES],
    ...[UPSTREAMS, SOURCES, MIRRORED, BACKENDS],
  ].flat();
  const counted = [COUNTED, LISTENER, UPSTREAM, BACKEND].flatMap(block => Object.values(block));
  return ['lb4_build_info', ...states.map(({ name }) => name), ...counted.map(({ name }) => name)];
}

export function metricsDocument(): string {
  const { mirrorFailures, ...ofUpstream } = UPSTREAM;
  const tables: Readonly<Record<string, string>> = {
    instance: table([...INSTANCE, ...PROCESS], COUNTED, []),
    logs: table(LOGS, {}, ['log (log, access)']),
    workers: table(WORKERS, {}, ['worker']),
    listeners: table(LISTENERS, LISTENER, ['listener']),
    upstreams: table(UPSTREAMS, ofUpstream, ['upstream']),
    certificates: table(CERTIFICATES, {}, ['listener', 'certificate']),
    sources: table(SOURCES, {}, ['upstream', 'source']),
    mirror: table(MIRRORED, { mirrorFailures }, ['upstream']),
    backends: table(BACKENDS, BACKEND, ['upstream', 'backend']),
  };
  const text = readText(SOURCE).replaceAll(
    /^<!-- table: (\w+) -->$/gm,
    (_, name: string) => tables[name] ?? '',
  );
  return `<!-- Generated from ${SOURCE} and the tables of metrics by \`node dist/scripts/generate.js\`. Do not edit. -->\n\n${text}`;
}
