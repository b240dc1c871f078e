/** Values of `lb4 top` as text, how alarming they are, and a line with something at both of its ends. */
import { fit, type Glyphs } from './glyphs.ts';
import { span, type Line, type Span, type Style } from './screen.ts';

/** How near a limit is. */
export function fullness(sessions: number, most: number): Style {
  return sessions >= most ? 'bad' : sessions >= most * 0.8 ? 'warn' : 'good';
}

/** `0.3`, `12`, `1,203`. */
export function rateText(perSecond: number): string {
  if (perSecond > 0 && perSecond < 9.95) return perSecond.toFixed(1);
  return Math.round(perSecond).toLocaleString('en-US');
}

/** `right` is shown whole; `left` gives way. */
export function spread(left: Line, right: Line, width: number, glyphs: Glyphs): Line {
  const length = (line: Line): number => line.reduce((sum, { text }) => sum + text.length, 0);
  const room = width - length(right) - 1;
  const fitted: Span[] = [];
  let used = 0;
  for (const { text, style } of left) {
    const shown = fit(text, room - used, glyphs);
    fitted.push(span(shown, style));
    used += shown.length;
  }
  return [...fitted, span(' '.repeat(Math.max(width - used - length(right), 0))), ...right];
}
