/** What the user has chosen to see: order, filter and place in the list; and what keys change about it. */
import type { BackendView } from '../../model/snapshot.ts';
import type { Key } from './keys.ts';

export const SORTS = ['configured', 'trouble', 'sessions', 'rate', 'address'] as const;
export type Sort = (typeof SORTS)[number];

export interface ViewState {
  readonly sort: Sort;
  /** Backends and upstreams that are shown contain it, in their name or state. */
  readonly filter: string;
  /** The filter is being typed. */
  readonly isTyping: boolean;
  /** The first line of the list that is shown. */
  readonly scroll: number;
  readonly isHelp: boolean;
  /** Which columns are shown where not all have room. */
  readonly columns: 'load' | 'traffic';
}

export const FIRST_VIEW: ViewState = {
  ...{ sort: 'configured', filter: '', isTyping: false, scroll: 0, isHelp: false },
  columns: 'load',
};
const LONGEST_FILTER = 60;

/** @param page the lines of the list that fit on the screen; @param most the last line that can be the first one */
export function afterKey(
  view: ViewState,
  key: Key,
  { page, most }: { page: number; most: number },
): ViewState {
  if (view.isTyping) return typed(view, key);
  const moved = (by: number): ViewState => ({
    ...view,
    scroll: Math.min(Math.max(Math.min(view.scroll, most) + by, 0), most),
  });
  if ('text' in key) {
    switch (key.text) {
      case 's': {
        const next = SORTS[(SORTS.indexOf(view.sort) + 1) % SORTS.length] ?? view.sort;
        return { ...view, sort: next, scroll: 0 };
      }
      case 'c':
        return { ...view, columns: view.columns === 'load' ? 'traffic' : 'load' };
      case '/':
        return { ...view, isTyping: true, scroll: 0, isHelp: false };
      case 'j':
        return moved(1);
      case 'k':
        return moved(-1);
      case ' ':
        return moved(page);
      case '?':
      case 'h':
        return { ...view, isHelp: !view.isHelp };
      default:
        return view;
    }
  }
  switch (key.name) {
    case 'up':
      return moved(-1);
    case 'down':
      return moved(1);
    case 'pageUp':
      return moved(-page);
    case 'pageDown':
      return moved(page);
    case 'home':
      return { ...view, scroll: 0 };
    case 'end':
      return moved(most);
    case 'escape':
      return { ...view, filter: '', isHelp: false };
    case 'enter':
    case 'backspace':
    case 'interrupt':
    case 'quit':
    case 'suspend':
    case 'redraw':
      return view;
  }
}

function typed(view: ViewState, key: Key): ViewState {
  if ('text' in key) return { ...view, filter: `${view.filter}${key.text}`.slice(0, LONGEST_FILTER) };
  if (key.name === 'backspace') return { ...view, filter: view.filter.replace(/.$/su, '') };
  if (key.name === 'enter') return { ...view, isTyping: false };
  if (key.name === 'escape') return { ...view, isTyping: false, filter: '' };
  return view;
}

const WORST_FIRST: readonly BackendView['state'][] = [
  ...(['down', 'unresolved', 'ejected', 'trial', 'maint', 'drain', 'removed', 'standby', 'up'] as const),
];

/** The backends of an upstream that are shown, in their order. */
export function shownBackends(
  upstream: string,
  backends: readonly BackendView[],
  { sort, filter }: ViewState,
  rateOf: (backend: BackendView) => number,
): readonly BackendView[] {
  const wanted = filter.toLowerCase();
  const matches = backends.filter(
    ({ backend, state }) =>
      upstream.toLowerCase().includes(wanted) || `${backend} ${state}`.toLowerCase().includes(wanted),
  );
  switch (sort) {
    case 'configured':
      return matches;
    case 'address':
      return matches.toSorted((a, b) => a.backend.localeCompare(b.backend, 'en', { numeric: true }));
    case 'sessions':
      return matches.toSorted((a, b) => b.sessions - a.sessions);
    case 'rate':
      return matches.toSorted((a, b) => rateOf(b) - rateOf(a));
    case 'trouble':
      return matches.toSorted((a, b) => WORST_FIRST.indexOf(a.state) - WORST_FIRST.indexOf(b.state));
  }
}
