/** Values of `lb4 top` as text, how alarming they are, and a line with something at both of its ends. */
import { toneOfFailures } from '../../observe/figures.ts';
import { quantileOf, type Buckets } from '../../observe/rates.ts';
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

/** Per second, in decimal units as networks count: `0`, `940`, `1.2k`, `34M`. */
export function bytesText(perSecond: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  let [value, unit] = [perSecond, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1_000, unit + 1];
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)}${units[unit] ?? ''}`;
}

/** A part in percent: `0%`, `<0.1%`, `0.4%`, `12%`; `-` of nothing. */
export function failedText({ all, failed }: { readonly all: number; readonly failed: number }): string {
  const percent = 100 * Math.min(failed / all, 1);
  if (all === 0 || percent === 0) return all === 0 ? '-' : '0%';
  if (percent < 0.1) return '<0.1%';
  return percent < 9.95 ? `${percent.toFixed(1)}%` : `${Math.round(percent)}%`;
}

export function failedStyle({ all, failed }: { readonly all: number; readonly failed: number }): Style {
  return toneOfFailures(failed, all) ?? 'plain';
}

/** The time that this part of all do not exceed: `0.4ms`, `12ms`, `1.3s`, `>32s`; `-` where there is none. */
export function timeText(times: Buckets, part: number): string {
  const seconds = quantileOf(times, part);
  if (seconds === undefined) return '-';
  if (seconds === Infinity) return '>32s';
  const ms = seconds * 1_000;
  if (ms >= 999.5) return `${seconds.toFixed(1)}s`;
  return `${ms < 9.95 ? ms.toFixed(1) : Math.round(ms)}ms`;
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
