/** One card per upstream: how it stands, its backends, and what operators have changed. */
import { arrange, button, el, setAttribute, setText } from './dom.js';
import { toneOfFailures } from './figures.js';
import { byteRate, counted, number, percent, rate, span } from './format.js';
import { Row } from './row.js';

/** Rows that are shown before the reader asks for all. */
const SHOWN = 50;
/** A row far from what the reader sees is written once in this many statuses: of a thousand rows few are near. */
const SELDOM = 15;
const NEAR = '400px';
const HEADS = [
  ['Backend'],
  ['State', 'now, and in the last five minutes'],
  ['Sessions', 'live sessions against the most that it gets'],
  ['5 min', 'live sessions in the last five minutes'],
  ['Traffic', 'sessions and bytes per second'],
  ['Connect', 'time to connect in the last minute: median, and what one in a hundred exceeds'],
  ['Errors', 'of attempts in the last minute: failed connects, and sessions that the backend has reset'],
  ['Weight'],
  [''],
];

/** Figures of the whole upstream; failures are of the last minute. */
const TOTALS = [
  ['sessions', 'sessions'],
  ['rate', 'new / s'],
  ['bytes', 'throughput'],
  ['failed', 'failed'],
];

export class Upstreams {
  #parent;
  #actions;
  #cards = new Map();

  constructor(parent, actions) {
    this.#parent = parent;
    this.#actions = actions;
  }

  draw(status, history, figures) {
    const names = new Set(status.upstreams.map(({ name }) => name));
    for (const name of this.#cards.keys()) if (!names.has(name)) this.#cards.delete(name);
    const mirrored = new Map((status.mirror?.upstreams ?? []).map(each => [each.upstream, each]));
    const cards = status.upstreams.map(upstream => {
      let card = this.#cards.get(upstream.name);
      if (card === undefined) this.#cards.set(upstream.name, (card = new Card(upstream.name, this.#actions)));
      card.draw(upstream, mirrored.get(upstream.name), history, figures);
      return card.element;
    });
    arrange(this.#parent, cards);
  }
}

class Card {
  element;
  #name;
  #actions;
  #facts = el('p', { class: 'facts quiet' });
  #totals = Object.fromEntries(TOTALS.map(([key]) => [key, el('dd', {}, '–')]));
  #mode = el('span', { class: 'pill' });
  #body = el('tbody', { role: 'rowgroup' });
  #more = button('', () => this.#showAll(), { class: 'plain more', hidden: true });
  #overrides = el('ul', { class: 'overrides' });
  #overridesBox;
  #rows = new Map();
  #near = new NearElements();
  #turn = 0;
  #isWhole = false;
  #shownOverrides = '';

  constructor(name, actions) {
    this.#name = name;
    this.#actions = actions;
    const title = el('h2', {}, name);
    const head = el('tr', { role: 'row' }, ...HEADS.map(headOf));
    this.#overridesBox = el(
      'div',
      { class: 'changed', hidden: true },
      el('h3', {}, 'In force, and other than in the file'),
      this.#overrides,
    );
    this.element = el(
      'article',
      { class: 'card upstream', 'aria-label': `Upstream ${name}` },
      el(
        'header',
        {},
        el('div', {}, el('div', { class: 'title' }, title, this.#mode), this.#facts),
        el(
          'dl',
          { class: 'totals' },
          ...TOTALS.map(([key, words]) => el('div', {}, el('dt', {}, words), this.#totals[key])),
        ),
      ),
      el(
        'table',
        { role: 'table', 'aria-label': `Backends of ${name}` },
        el('thead', { role: 'rowgroup' }, head),
        this.#body,
      ),
      this.#more,
      this.#overridesBox,
    );
  }

  draw(upstream, mirrored, history, figures) {
    const { name, mode, backends, overrides } = upstream;
    const members = backends.filter(({ state }) => state !== 'removed');
    const idle = members.filter(({ state }) => state === 'standby').length;
    const taking = members.filter(({ takesSessions }) => takesSessions).length;
    const of = members.length - idle;
    setText(this.#mode, modeWords(mode, taking, of));
    setAttribute(
      this.#mode,
      'data-tone',
      { normal: taking === of ? 'good' : 'warn', backups: 'warn' }[mode] ?? 'bad',
    );
    setText(this.#facts, factsOf(upstream, mirrored));
    this.#drawTotals(upstream, figures.upstream(name));
    const most = mostOf(upstream, history);
    const shown = this.#choose(backends);
    const keys = new Set();
    this.#turn += 1;
    const rows = shown.map((backend, i) => {
      const key = `${backend.state === 'removed' ? '-' : '+'}${backend.backend}`;
      keys.add(key);
      let row = this.#rows.get(key);
      const isNew = row === undefined;
      if (isNew) {
        row = new Row(each => this.#actions.change(name, each));
        this.#rows.set(key, row);
        this.#near.add(row.element);
      }
      if (!isNew && !this.#near.has(row.element) && (this.#turn + i) % SELDOM !== 0) return row.element;
      const flow = backend.state === 'removed' ? undefined : figures.backend(name, backend.backend);
      row.draw(name, backend, { slots: history.of(name, backend.backend), most, flow });
      return row.element;
    });
    for (const [key, row] of this.#rows) {
      if (keys.has(key)) continue;
      this.#rows.delete(key);
      this.#near.delete(row.element);
    }
    arrange(this.#body, rows);
    setAttribute(this.#more, 'hidden', shown.length === backends.length);
    setText(this.#more, `Show all ${number(backends.length)} backends`);
    this.#drawOverrides(overrides);
  }

  #drawTotals({ backends }, { connections, bytes, all, failed }) {
    const sessions = backends.reduce((sum, each) => sum + each.sessions, 0);
    setText(this.#totals.sessions, number(sessions));
    setText(this.#totals.rate, rate(connections));
    setText(this.#totals.bytes, byteRate(bytes && bytes.client + bytes.backend));
    setText(this.#totals.failed, percent(failed, all));
    setAttribute(this.#totals.failed, 'data-tone', toneOfFailures(failed, all));
  }

  /** Of many the ones that need somebody come first; few stay in the order of the configuration. */
  #choose(backends) {
    if (this.#isWhole || backends.length <= SHOWN) return backends;
    const isOut = ({ state }) => (state === 'up' || state === 'standby' ? 1 : 0);
    return [...backends].sort((one, other) => isOut(one) - isOut(other)).slice(0, SHOWN);
  }

  #showAll() {
    this.#isWhole = true;
    setAttribute(this.#more, 'hidden', true);
  }

  /** Made anew only when there are others: a button that somebody is about to press must stay. */
  #drawOverrides(overrides) {
    const text = JSON.stringify(overrides);
    if (text === this.#shownOverrides) return;
    this.#shownOverrides = text;
    setAttribute(this.#overridesBox, 'hidden', overrides.length === 0);
    this.#overrides.replaceChildren(...overrides.map(each => this.#override(each)));
  }

  #override({ backend, what, configured, now }) {
    const isChange = what === 'weight' || what === 'state';
    const words = isChange ? `${what} ${configured} → ${now}` : `${what} at runtime`;
    const putBack = () => this.#actions.putBack(this.#name, backend, what, configured, now);
    return el(
      'li',
      {},
      el('span', { class: 'address' }, backend),
      el('span', {}, words),
      isChange &&
        button('Put back', putBack, { class: 'plain', 'aria-label': `Put ${what} of ${backend} back` }),
    );
  }
}

/** Which elements are in the window, or near it. */
class NearElements {
  #near = new Set();
  #observer = new IntersectionObserver(
    entries => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) this.#near.add(target);
        else this.#near.delete(target);
      }
    },
    { rootMargin: NEAR },
  );

  add(element) {
    this.#observer.observe(element);
  }

  delete(element) {
    this.#observer.unobserve(element);
    this.#near.delete(element);
  }

  has(element) {
    return this.#near.has(element);
  }
}

function headOf([label, title]) {
  const text = label === '' ? el('span', { class: 'unseen' }, 'Actions') : label;
  return el('th', { role: 'columnheader', scope: 'col', title }, text);
}

function modeWords(mode, taking, of) {
  if (mode === 'panic') return 'panic: all are tried';
  if (mode === 'down') return 'down: clients are refused';
  if (mode === 'backups') return 'backups stand in';
  return `${number(taking)} of ${number(of)} take sessions`;
}

function factsOf({ strategy, queue, sources = [] }, mirrored) {
  const facts = [strategy];
  if (queue.waiting > 0)
    facts.push(
      `${counted(queue.waiting, 'session')} of ${number(queue.max)} wait, the longest for ${span(queue.longestMs)}`,
    );
  if (mirrored?.mode === 'shared')
    facts.push(`counts shared with ${counted(mirrored.others.length, 'instance')}`);
  if (mirrored?.mode === 'local')
    facts.push(`counts not shared${mirrored.trouble === undefined ? '' : `: ${mirrored.trouble.message}`}`);
  for (const { source, state, backends, why, failingForMs, answeredAgoMs } of sources) {
    if (state === 'failing') facts.push(`${source} has failed for ${span(failingForMs)}: ${why}`);
    else if (state === 'waiting') facts.push(`${source} has not answered yet`);
    else facts.push(`${counted(backends, 'backend')} from ${source}, ${span(answeredAgoMs)} ago`);
  }
  return facts.join(' · ');
}

function mostOf({ name, backends }, history) {
  let most = 1;
  for (const { backend, sessions } of backends) {
    most = Math.max(most, sessions);
    for (const slot of history.of(name, backend)) most = Math.max(most, slot?.sessions ?? 0);
  }
  return most;
}
