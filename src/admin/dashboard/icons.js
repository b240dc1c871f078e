/** States as shapes, so that colour alone shows none. */
import { svg } from './dom.js';

const STROKE = { fill: 'none', stroke: 'currentColor', 'stroke-width': 2, 'stroke-linecap': 'round' };
const SOLID = { fill: 'currentColor' };

const SHAPES = {
  up: () => [svg('circle', { cx: 8, cy: 8, r: 6, ...SOLID })],
  standby: () => [svg('circle', { cx: 8, cy: 8, r: 5, ...STROKE })],
  down: () => [svg('path', { d: 'M3.5 3.5l9 9M12.5 3.5l-9 9', ...STROKE, 'stroke-width': 3 })],
  unresolved: () => [
    svg('path', { d: 'M5 5.6a3 3 0 1 1 4.2 2.7c-.8.4-1.2.9-1.2 1.9', ...STROKE, 'stroke-width': 2.2 }),
    svg('circle', { cx: 8, cy: 13.4, r: 1.4, ...SOLID }),
  ],
  ejected: () => [svg('path', { d: 'M8 2l6.5 11.5h-13z', ...SOLID })],
  trial: () => [svg('path', { d: 'M8 3.2l5.4 9.6H2.6z', ...STROKE, 'stroke-linejoin': 'round' })],
  drain: () => [svg('path', { d: 'M8 2.5v9M4 8l4 4 4-4', ...STROKE, 'stroke-width': 2.4 })],
  maint: () => [svg('rect', { x: 2.5, y: 2.5, width: 11, height: 11, rx: 2, ...SOLID })],
  removed: () => [svg('path', { d: 'M3 8h10', ...STROKE, 'stroke-width': 3 })],
};

export const WORDS = {
  up: 'up',
  standby: 'standby',
  down: 'down',
  unresolved: 'unresolved',
  ejected: 'ejected',
  trial: 'on trial',
  drain: 'draining',
  maint: 'maintenance',
  removed: 'removed',
};

/** The families of states that share a colour. */
export const TONES = {
  up: 'good',
  standby: 'idle',
  down: 'bad',
  unresolved: 'bad',
  ejected: 'warn',
  trial: 'warn',
  drain: 'set',
  maint: 'set',
  removed: 'idle',
};

export function stateIcon(state) {
  return svg(
    'svg',
    { viewBox: '0 0 16 16', class: 'icon', 'aria-hidden': 'true' },
    ...(SHAPES[state] ?? SHAPES.removed)(),
  );
}
