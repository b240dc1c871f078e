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
