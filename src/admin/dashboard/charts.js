/** Figures over time: two charts of the instance (uPlot), a strip of states and a line of sessions per backend (SVG). */
import { el, setAttribute, setText, svg } from './dom.js';
import { SLOTS, SLOT_MS } from './history.js';
import { span } from './format.js';
import { WORDS } from './icons.js';

const CHART_HEIGHT = 112;

/** One figure, large, with its last five minutes below. */
export class Chart {
  #figure = el('output', { class: 'value' }, '–');
  #note = el('span', { class: 'quiet' });
  #plot;
  #at;

  constructor(parent, title, color) {
    const heading = el('h2', {}, title);
    this.#at = el('div', { class: 'plot', role: 'img', 'aria-label': `${title}, the last five minutes` });
    parent.append(heading, el('p', { class: 'reading' }, this.#figure, ' ', this.#note), this.#at);
    const style = name => () => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const axis = { stroke: style('--quiet'), font: '11px system-ui, sans-serif', ticks: { show: false } };
    const options = {
      width: this.#at.clientWidth || 300,
      height: CHART_HEIGHT,
      cursor: { points: { size: 7 }, y: false, drag: { x: false } },
      legend: { show: false },
      padding: [6, 4, 0, 0],
      scales: { y: { range: (_, _min, max) => [0, niceAbove(max)] } },
      axes: [
        {
          ...axis,
          size: 20,
          gap: 4,
          space: 52,
          grid: { show: false },
          values: (_, times) => times.map(clock),
        },
        {
          ...axis,
          size: 44,
          gap: 6,
          space: 26,
          grid: { stroke: style('--line'), width: 1 },
          incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5],
        },
      ],
      series: [
        {},
        {
          stroke: style(color),
          fill: style(`${color}-soft`),
          width: 2,
          points: { show: false },
          spanGaps: true,
        },
      ],
    };
    this.#plot = new globalThis.uPlot(options, [[], []], this.#at);
    new ResizeObserver(() => {
      this.#plot.setSize({ width: this.#at.clientWidth, height: CHART_HEIGHT });
    }).observe(this.#at);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', () => this.#plot.redraw(false, true));
  }

  draw(times, values, figure, note) {
    setText(this.#figure, figure);
    setText(this.#note, note);
    this.#plot.setData([times, values]);
    // Five minutes, also while fewer are known: the line grows from the right.
    const last = times.at(-1) ?? 0;
    this.#plot.setScale('x', { min: last - 300, max: last });
  }
}

function niceAbove(max) {
  if (!(max > 4)) return 5;
  const step = 10 ** Math.floor(Math.log10(max));
  return Math.ceil((max * 1.05) / (step / 2)) * (step / 2);
}

function clock(seconds) {
  const at = new Date(seconds * 1_000);
  return `${String(at.getHours()).padStart(2, '0')}:${String(at.getMinutes()).padStart(2, '0')}`;
}

/** How high a state stands, of 20: so that the strip can be read without its colours. */
const HEIGHTS = { up: 20, standby: 12, drain: 12, maint: 8, trial: 12, ejected: 8, unresolved: 5, down: 5 };

/** The last sixty states of a backend. */
export class Strip {
  element = svg('svg', {
    viewBox: `0 0 ${SLOTS * 4} 20`,
    class: 'strip',
    role: 'img',
    preserveAspectRatio: 'none',
  });
  #bars;

  constructor() {
    this.#bars = Array.from({ length: SLOTS }, (_, i) => svg('rect', { x: i * 4, width: 3, rx: 0.5 }));
    this.element.append(...this.#bars);
  }

  draw(slots) {
    const times = new Map();
    for (const [i, bar] of this.#bars.entries()) {
      const state = slots[i]?.state;
      const height = state === undefined ? 2 : (HEIGHTS[state] ?? 2);
      setAttribute(bar, 'class', `is-${state ?? 'unknown'}`);
      setAttribute(bar, 'y', 20 - height);
      setAttribute(bar, 'height', height);
      if (state !== undefined) times.set(state, (times.get(state) ?? 0) + SLOT_MS);
    }
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
