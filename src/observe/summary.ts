/**
 * The state of an instance in one sentence, for people: "2 of 5 backends down since 14:02, panic off, clients
 * unaffected".
 *
 * Place: pure. The dashboard's page imports the compiled file as it is, so it may import types only. `now` and the
 * clock are the reader's: a page shows the time of its own zone.
 */
import type { BackendStateWord, UpstreamMode } from '../model/words.ts';
import type { LoadBalancerState } from '../model/snapshot.ts';

/** The part of a status that is looked at. */
export interface Summarised {
  readonly state: LoadBalancerState;
  readonly sessions: number;
  readonly listeners: readonly { readonly name: string; readonly paused: boolean }[];
  readonly upstreams: readonly {
    readonly name: string;
    readonly mode: UpstreamMode;
    readonly queue: { readonly waiting: number };
    readonly backends: readonly {
      readonly state: BackendStateWord | 'removed';
      readonly stateForMs: number;
      readonly takesSessions: boolean;
    }[];
  }[];
}

/** `good`: nothing to do. `warn`: something is out, and clients do not notice. `bad`: clients do. */
export type Tone = 'good' | 'warn' | 'bad';

export interface Summary {
  readonly tone: Tone;
  readonly text: string;
}

/**
 * @param nowMs milliseconds since 1970
 * @param clock a time, given like `nowMs`, in words
 */
export function summaryOf(status: Summarised, nowMs: number, clock = clockAt(nowMs)): Summary {
  if (status.state !== 'running') return { tone: 'warn', text: notRunning(status) };
  const { backends, isOut } = backendsOf(status, nowMs, clock);
  const panics = status.upstreams.filter(({ mode }) => mode === 'panic').map(({ name }) => name);
  const panic = panics.length === 0 ? 'panic off' : `panic in ${listOf(panics)}`;
  const clients = clientsOf(status);
  const tone = clients.length > 0 ? 'bad' : isOut ? 'warn' : 'good';
  return {
    tone,
    text: [backends, panic, ...(clients.length > 0 ? clients : ['clients unaffected'])].join(', '),
  };
}

/** Today's times as `14:02`, others with their date. */
export function clockAt(nowMs: number): (ms: number) => string {
  return ms => {
    const at = new Date(ms);
    const two = (n: number): string => String(n).padStart(2, '0');
    const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
    if (at.toDateString() === new Date(nowMs).toDateString()) return time;
    return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${time}`;
  };
}

function notRunning({ state, sessions }: Summarised): string {
  const left = `${sessions} ${sessions === 1 ? 'session' : 'sessions'}`;
  switch (state) {
    case 'leaving':
      return `lb4 is about to drain: it still takes clients, and ${left} run`;
    case 'draining':
      return `lb4 drains: it takes no new clients, and ${left} are to end`;
    case 'stopped':
      return 'lb4 has stopped';
    case 'new':
    case 'starting':
    case 'running':
      return 'lb4 is starting';
  }
}

/** Words for states that are not as they should be, worst first. */
const OUT = [
  ['down', ['down', 'unresolved']],
  ['ejected', ['ejected', 'trial']],
] as const;
const SET = [
  ['draining', ['drain']],
  ['in maint', ['maint']],
] as const;

function backendsOf(
  { upstreams }: Summarised,
  nowMs: number,
  clock: (ms: number) => string,
): { readonly backends: string; readonly isOut: boolean } {
  const all = upstreams.flatMap(({ backends }) => backends).filter(({ state }) => state !== 'removed');
  const phrases: string[] = [];
  let isOut = false;
  for (const [word, states] of [...OUT, ...SET]) {
    const found = all.filter(({ state }) => (states as readonly string[]).includes(state));
    if (found.length === 0) continue;
    const isBad = word === 'down' || word === 'ejected';
    isOut ||= isBad;
    // Of several, since the last of them is: all are only from then on.
    const since = nowMs - Math.min(...found.map(({ stateForMs }) => stateForMs));
    const of = phrases.length === 0 ? ` of ${all.length} ${all.length === 1 ? 'backend' : 'backends'}` : '';
    phrases.push(`${found.length}${of} ${word}${isBad ? ` since ${clock(since)}` : ''}`);
  }
  if (phrases.length > 0) return { backends: phrases.join(', '), isOut };
  const backends =
    all.length === 0
      ? 'no backends'
      : all.length === 1
        ? 'the one backend is up'
        : `all ${all.length} backends up`;
  return { backends, isOut: all.length === 0 };
}

/** What clients notice. */
function clientsOf({ upstreams, listeners }: Summarised): string[] {
  const namesOf = (list: readonly { readonly name: string }[]): string =>
    listOf(list.map(({ name }) => name));
  const refused = upstreams.filter(({ backends }) => !backends.some(({ takesSessions }) => takesSessions));
  const panic = upstreams.filter(each => each.mode === 'panic' && !refused.includes(each));
  const waiting = upstreams.filter(({ queue }) => queue.waiting > 0);
  const paused = listeners.filter(each => each.paused);
  return [
    ...(refused.length > 0 ? [`clients of ${namesOf(refused)} are refused`] : []),
    ...(panic.length > 0 ? [`clients of ${namesOf(panic)} are sent to backends that are not well`] : []),
    ...(waiting.length > 0 ? [`clients of ${namesOf(waiting)} wait for a backend with room`] : []),
    ...(paused.length > 0 ? [`clients wait at ${namesOf(paused)}, which is at its limit`] : []),
  ];
}

/** At most three names, so that the sentence stays one. */
function listOf(names: readonly string[]): string {
  const shown = names.slice(0, 3);
  const rest = names.length - shown.length;
  return rest === 0 ? shown.join(' and ') : `${shown.join(', ')} and ${rest} more`;
}
