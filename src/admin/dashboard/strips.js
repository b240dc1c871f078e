/**
 * The last five minutes of a backend: a strip of its states, and a line of its sessions (SVG).
 *
 * Why few paths: a page can have a thousand backends, and a rectangle per state would make it slow.
 */
import { setAttribute, svg } from './dom.js';
import { SLOTS, SLOT_MS } from './history.js';
import { span } from './format.js';
import { TONES, WORDS } from './icons.js';

/** How high a state stands, of 20: so that the strip can be read without its colours. */
const HEIGHTS = { up: 20, standby: 12, drain: 12, maint: 8, trial: 12, ejected: 8, unresolved: 5, down: 5 };
const TONE_NAMES = [...new Set(Object.values(TONES)), 'unknown'];

/** The last sixty states of a backend. */
export class Strip {
  element = svg('svg', {
    viewBox: `0 0 ${SLOTS * 4} 20`,
    class: 'strip',
    role: 'img',
    preserveAspectRatio: 'none',
  });
  /** One path per colour. */
  #paths = new Map(TONE_NAMES.map(tone => [tone, svg('path', { class: `is-${tone}` })]));
  #drawn = '';

  constructor() {
    this.element.append(...this.#paths.values());
  }

  draw(slots) {
    const states = Array.from({ length: SLOTS }, (_, i) => slots[i]?.state ?? '');
    const text = states.join();
    if (text === this.#drawn) return;
    this.#drawn = text;
    const shapes = new Map(TONE_NAMES.map(tone => [tone, '']));
    const times = new Map();
    for (const [i, state] of states.entries()) {
      const tone = TONES[state] ?? 'unknown';
      const height = HEIGHTS[state] ?? 2;
      shapes.set(tone, `${shapes.get(tone)}M${i * 4} 20v-${height}h3v${height}z`);
      if (state !== '') times.set(state, (times.get(state) ?? 0) + SLOT_MS);
    }
    for (const [tone, shape] of shapes) setAttribute(this.#paths.get(tone), 'd', shape);
    const parts = [...times].map(([state, ms]) => `${WORDS[state] ?? state} ${span(ms)}`);
    setAttribute(this.element, 'aria-label', `The last five minutes: ${parts.join(', ') || 'not known'}`);
  }
}

/** The sessions of a backend over the same time. */
export class Sparkline {
  element = svg('svg', {
    viewBox: '0 0 120 24',
    class: 'spark',
    'aria-hidden': 'true',
    preserveAspectRatio: 'none',
  });
  #area = svg('path', { class: 'area' });
  #line = svg('path', { class: 'line' });

  constructor() {
    this.element.append(this.#area, this.#line);
  }

  /** @param most the top of the scale, shared by the backends of an upstream */
  draw(slots, most) {
    const points = [];
    for (const [i, slot] of slots.entries()) {
      if (slot?.sessions === undefined) continue;
      const x = ((i + 0.5) * 120) / SLOTS;
      points.push([x, 23 - (slot.sessions / Math.max(1, most)) * 21]);
    }
    // One alone is a short line.
    if (points.length === 1) points.unshift([points[0][0] - 2, points[0][1]]);
    const line = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
    setAttribute(this.#line, 'd', line);
    const [first, last] = [points[0], points.at(-1)];
    setAttribute(this.#area, 'd', first && `${line}L${last[0].toFixed(1)} 24L${first[0].toFixed(1)} 24Z`);
  }
}
