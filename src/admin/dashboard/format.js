/** Figures and times in words. */
const NUMBER = new Intl.NumberFormat('en');

export function number(value) {
  return NUMBER.format(value);
}

/** A rate: one decimal while it is small. */
export function rate(value) {
  if (value === undefined) return '–';
  return value > 0 && value < 10 ? value.toFixed(1) : NUMBER.format(Math.round(value));
}

export function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** `4 s`, `3 min`, `5 h`, `2 d`. */
export function span(ms) {
  const s = Math.floor(ms / 1_000);
  if (s < 60) return `${s} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} min`;
  if (s < 172_800) return `${Math.floor(s / 3_600)} h`;
  return `${Math.floor(s / 86_400)} d`;
}

export function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [count, 0];
  while (value >= 1_024 && unit < units.length - 1) [value, unit] = [value / 1_024, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `14:02:07`, in the reader's zone. */
export function timeOfDay(ms) {
  const at = new Date(ms);
  return [at.getHours(), at.getMinutes(), at.getSeconds()]
    .map(part => String(part).padStart(2, '0'))
    .join(':');
}

// From here on a figure and its unit stay on one line.

/** Bytes per second, in decimal units as networks count: `1.2 MB/s`. */
export function byteRate(perSecond) {
  if (perSecond === undefined) return '–';
  return `${inUnits(perSecond)}/s`;
}

/** For an axis, and other places without room. */
export function inUnits(count) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [count, 0];
  while (value >= 999.5 && unit < units.length - 1) [value, unit] = [value / 1_000, unit + 1];
  const digits = unit > 0 && value < 9.95 && value !== Math.round(value) ? 1 : 0;
  return `${value.toFixed(digits)}\u00a0${units[unit]}`;
}

/** A time of less than a minute, given in seconds: `0.4 ms`, `12 ms`, `1.3 s`. */
export function shortTime(seconds) {
  if (seconds === undefined) return '–';
  if (seconds === Infinity) return '>\u00a032\u00a0s';
  const ms = seconds * 1_000;
  if (ms < 9.95) return `${ms < 0.095 ? ms.toFixed(2) : ms.toFixed(1)}\u00a0ms`;
  return ms < 999.5 ? `${Math.round(ms)}\u00a0ms` : `${seconds.toFixed(1)}\u00a0s`;
}

/** `0.3 %`; no part is `0 %`, and a small one is not. */
export function percent(part, all) {
  if (all === 0) return '–';
  const value = (part / all) * 100;
  if (value === 0 || value >= 9.95) return `${Math.round(value)}\u00a0%`;
  return value < 0.1 ? '<\u00a00.1\u00a0%' : `${value.toFixed(1)}\u00a0%`;
}
