/** Figures as people read them. */

/** `28,232`; `no limit` for Infinity. */
export function grouped(value: number): string {
  return value === Infinity ? 'no limit' : value.toLocaleString('en-US');
}

export function percent(part: number, whole: number): string {
  return `${Math.round((part / whole) * 100)} %`;
}
