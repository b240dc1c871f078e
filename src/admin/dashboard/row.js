/** One backend as a row: state and why, its last minutes, sessions, weight, and the way to change it. */
import { button, el, setAttribute, setText, setWidth } from './dom.js';
import { toneOfFailures } from './figures.js';
import { inUnits, number, percent, rate, shortTime, span } from './format.js';
import { stateIcon, TONES, WORDS } from './icons.js';
import { quantileOf } from './rates.js';
import { Sparkline, Strip } from './strips.js';

const cell = (label, name, ...children) =>
  el('td', { role: 'cell', class: name, 'data-label': label }, ...children);

const unit = text => el('span', { class: 'quiet' }, text);

export class Row {
  element;
  #state = el('span', { class: 'state' });
  #word = el('strong');
  #since = el('span', { class: 'quiet' });
  #name = el('span', { class: 'address' });
  #marks = el('span', { class: 'marks' });
  #why = el('p', { class: 'why', hidden: true });
  #strip = new Strip();
  #spark = new Sparkline();
  #sessions = el('span', { class: 'count' });
  #limit = el('span', { class: 'quiet' });
  #fill = el('span');
  #meter;
  #weight = el('span', { class: 'count' });
  #ramp = el('span', { class: 'quiet' });
  #rate = el('span', { class: 'count' });
  #bytes = el('div', { class: 'second' });
  #median = el('div', { class: 'count' });
  #slowest = el('div', { class: 'second' });
  #part = el('div', { class: 'count' });
  #failed = el('div', { class: 'second' });
  #change;
  #shape;
  #backend;

  /** @param onChange called with the backend as it is then */
  constructor(onChange) {
    this.#meter = el('div', { class: 'meter', role: 'meter', 'aria-valuemin': 0 }, this.#fill);
    this.#change = button('Change', () => onChange(this.#backend), { class: 'plain' });
    this.element = el(
      'tr',
      { role: 'row' },
      el(
        'th',
        { role: 'rowheader', scope: 'row', class: 'who' },
        el('span', { class: 'name' }, this.#name, this.#marks),
        this.#why,
      ),
      cell('State', 'is', this.#state, this.#strip.element),
      cell('Sessions', 'load', el('div', { class: 'pair' }, this.#sessions, this.#limit), this.#meter),
      cell('5 min', 'trend', this.#spark.element),
      cell('Traffic', 'traffic', el('div', { class: 'pair' }, this.#rate, unit('/ s')), this.#bytes),
      cell('Connect', 'connect', this.#median, this.#slowest),
      cell('Errors', 'errors', this.#part, this.#failed),
      cell('Weight', 'weight', el('div', { class: 'pair' }, this.#weight, this.#ramp)),
      cell('', 'act', this.#change),
    );
  }

  /**
   * @param most the most sessions that a backend of the upstream has, and has had
   * @param flow as Figures has it; undefined where there is none
   */
  draw(upstream, backend, { slots, most, flow }) {
    this.#backend = backend;
    const { state, stateForMs, why, takesSessions, sessions, maxSessions, weight, share, backup, elsewhere } =
      backend;
    setAttribute(this.element, 'data-tone', TONES[state] ?? 'idle');
    if (this.#shape !== state) {
      this.#shape = state;
      this.#state.replaceChildren(stateIcon(state), this.#word, ' ', this.#since);
    }
    setText(this.#word, WORDS[state] ?? state);
    setText(this.#since, state === 'removed' ? '' : span(stateForMs));
    setText(this.#name, backend.backend);
    const marks = [];
    if (backup) marks.push('backup');
    if (takesSessions && !['up', 'trial'].includes(state)) marks.push('tried anyway');
    setText(this.#marks, marks.join(', '));
    const words = ejectionWords(backend, why);
    setText(this.#why, words);
    setAttribute(this.#why, 'hidden', words === '');
    this.#strip.draw(slots);
    this.#spark.draw(slots, most);
    setText(this.#sessions, number(sessions));
    const others = elsewhere > 0 ? `+ ${number(elsewhere)} elsewhere` : '';
    setText(
      this.#limit,
      [maxSessions === undefined ? '' : `of ${number(maxSessions)}`, others].filter(Boolean).join(' '),
    );
    this.#drawMeter(backend, most);
    this.#drawFlow(flow);
    setText(this.#weight, number(weight));
    setText(this.#ramp, share === 1 ? '' : `× ${Math.round(share * 100)} %`);
    setAttribute(this.#change, 'aria-label', `Change ${backend.backend} of ${upstream}`);
    setAttribute(this.#change, 'hidden', state === 'removed');
  }

  #drawFlow({ connections, bytes, connect = [], all = 0, failed = 0 } = {}) {
    const [median, slowest] = [quantileOf(connect, 0.5), quantileOf(connect, 0.99)];
    setText(this.#rate, rate(connections));
    const isSilent = bytes === undefined || bytes.client + bytes.backend === 0;
    setText(this.#bytes, isSilent ? '' : `↓ ${inUnits(bytes.backend)} ↑ ${inUnits(bytes.client)}`);
    setText(this.#median, shortTime(median));
    setText(this.#slowest, slowest === undefined ? '' : `p99 ${shortTime(slowest)}`);
    setText(this.#part, percent(failed, Math.max(all, failed)));
    setText(this.#failed, failed === 0 ? '' : `${number(failed)} failed`);
    setAttribute(this.#part, 'data-tone', toneOfFailures(failed, all));
  }

  #drawMeter({ backend, sessions, maxSessions }, most) {
    const top = maxSessions ?? Math.max(1, most);
    const part = Math.min(1, sessions / Math.max(1, top));
    setAttribute(this.#meter, 'aria-valuemax', top);
    setAttribute(this.#meter, 'aria-valuenow', Math.min(sessions, top));
    setAttribute(this.#meter, 'aria-label', `Sessions of ${backend}`);
    setAttribute(
      this.#meter,
      'data-kind',
      maxSessions === undefined ? 'open' : part >= 0.9 ? 'near' : 'limit',
    );
    setWidth(this.#fill, part);
  }
}

function ejectionWords({ ejection, state }, why = '') {
  if (state !== 'ejected' || ejection === undefined) return why;
  const times = ejection.times > 1 ? `, for the ${ejection.times}. time in a row` : '';
  return `${why === '' ? 'ejected' : why} (out for ${span(ejection.forMs)}${times})`;
}
