/** How sessions have ended, by side and reason: all since the start, and those of the last minutes that the page saw. */
import { arrange, el, setAttribute, setText, setWidth } from './dom.js';
import { counted, number, percent } from './format.js';
import { isFailure } from './rates.js';

const MOST = 7;
/** Reasons in words; any other is shown as it is, behind its side. */
const WORDS = {
  noBackend: 'no backend',
  full: 'all full',
  queueTimeout: 'queue timeout',
  retryBudget: 'retry budget',
  tls: 'no TLS',
  localResources: 'no descriptors',
  backendDown: 'backend down',
  primaryBack: 'primary back',
  halfClosed: 'half closed',
  drainTimeout: 'drain timeout',
  workerDied: 'worker died',
};

export class Endings {
  #list = el('ul', { class: 'endings' });
  #none = el('p', { class: 'quiet' }, 'No session has ended yet.');
  #failed = el('p', { class: 'quiet' });
  #items = new Map();

  constructor(parent) {
    parent.append(el('h2', {}, 'How sessions end'), this.#none, this.#list, this.#failed);
  }

  draw({ upstreams }) {
    const ways = new Map();
    for (const { counts } of upstreams) {
      for (const { by, phase, reason, sessions } of counts?.ended ?? []) {
        const key = `${by} ${reason}`;
        const way = ways.get(key) ?? {
          key,
          by,
          reason,
          sessions: 0,
          isFailure: isFailure({ by, phase, reason }),
        };
        way.sessions += sessions;
        ways.set(key, way);
      }
    }
    const all = [...ways.values()].sort((one, other) => other.sessions - one.sessions);
    const sum = all.reduce((total, { sessions }) => total + sessions, 0);
    const failed = all.filter(way => way.isFailure).reduce((total, { sessions }) => total + sessions, 0);
    setAttribute(this.#none, 'hidden', sum > 0);
    setAttribute(this.#failed, 'hidden', sum === 0);
    setText(
      this.#failed,
      failed === 0
        ? 'None failed since the start.'
        : `${counted(failed, 'session')} failed since the start, ${percent(failed, sum)}.`,
    );
    arrange(
      this.#list,
      shownOf(all).map(way => this.#draw(way, sum)),
    );
  }

  #draw({ key, by, reason, sessions, isFailure: isBad }, sum) {
    let item = this.#items.get(key);
    if (item === undefined) {
      const [name, count, fill] = [el('span'), el('span', { class: 'count' }), el('span')];
      const bar = el('div', { class: 'meter', 'aria-hidden': 'true' }, fill);
      item = { element: el('li', {}, name, count, bar), name, count, fill };
      this.#items.set(key, item);
    }
    setText(item.name, WORDS[reason] ?? (by === 'balancer' ? reason : `${by} ${reason}`));
    setText(item.count, number(sessions));
    setAttribute(item.element, 'data-tone', isBad ? 'bad' : undefined);
    setWidth(item.fill, Math.max(0.01, sessions / sum));
    return item.element;
  }
}

/** The most frequent ways, and failures before others. */
function shownOf(all) {
  if (all.length <= MOST) return all;
  const bad = all.filter(way => way.isFailure).slice(0, MOST - 3);
  const good = all.filter(way => !way.isFailure).slice(0, MOST - bad.length);
  return all.filter(way => bad.includes(way) || good.includes(way));
}
