/**
 * Reads a key of a value of unknown shape.
 *
 * Place: for what works on the raw input: flags.ts and the cross-checks.
 */

/** The value of an own key, or undefined. */
export function field(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
  return (value as Record<string, unknown>)[key]; // an object that has the key, checked above
}
