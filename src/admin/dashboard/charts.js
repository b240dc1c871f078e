/** Figures of the instance over the last five minutes (uPlot). strips.js has what each backend shows. */
import { el, setAttribute, setText } from './dom.js';

const CHART_HEIGHT = 96;
const PLAIN_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6];

/** One figure, large, with its last five minutes below. */
export class Chart {
  #figure = el('output', { class: 'value' }, '–');
  #note = el('span', { class: 'quiet' });
  #plot;
  #at;

  /**
   * @param colors one custom property per line
   * @param options.inWords what a value of the axis is called
   * @param options.least the top of the scale when nothing is higher
   * @param options.steps between lines of the grid
   */
  constructor(parent, title, colors, { inWords, least = 5, steps = PLAIN_STEPS } = {}) {
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
      scales: { y: { range: (_, _min, max) => [0, niceAbove(max, least)] } },
      axes: [
        {
          ...axis,
          size: 20,
          gap: 4,
          space: 40,
          grid: { show: false },
          values: (_, times) => times.map(clock),
        },
        {
          ...axis,
          size: 48,
          gap: 6,
          space: 22,
          grid: { stroke: style('--line'), width: 1 },
          incrs: steps,
          ...(inWords && { values: (_, values) => values.map(inWords) }),
        },
      ],
      series: [{}, ...colors.map(color => lineOf(style(color), style(`${color}-soft`)))],
    };
    this.#plot = new globalThis.uPlot(options, [[], ...colors.map(() => [])], this.#at);
    new ResizeObserver(() => {
      this.#plot.setSize({ width: this.#at.clientWidth, height: CHART_HEIGHT });
    }).observe(this.#at);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', () => this.#plot.redraw(false, true));
  }

  /** @param lines the values at these times, one array per line */
  draw(times, lines, figure, note) {
    setText(this.#figure, figure);
    setText(this.#note, note);
    this.#plot.setData([times, ...lines]);
    // Five minutes, also while fewer are known: the line grows from the right.
    const last = times.at(-1) ?? 0;
    this.#plot.setScale('x', { min: last - 300, max: last });
  }

  /** @param tone `warn` or `bad` for a figure to look at */
  setTone(tone) {
    setAttribute(this.#figure, 'data-tone', tone);
  }
}

function lineOf(stroke, fill) {
  return { stroke, fill, width: 2, points: { show: false }, spanGaps: true };
}

function niceAbove(max, least) {
  if (!(max > least * 0.8)) return least;
  const step = 10 ** Math.floor(Math.log10(max));
  return Math.ceil((max * 1.05) / (step / 2)) * (step / 2);
}

function clock(seconds) {
  const at = new Date(seconds * 1_000);
  return `${String(at.getHours()).padStart(2, '0')}:${String(at.getMinutes()).padStart(2, '0')}`;
}
