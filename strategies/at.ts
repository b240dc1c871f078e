/**
 * Checked indexing: an element that must exist, or a RangeError that says which one did not.
 *
 * Place: used by the strategies wherever an index is right by construction. It keeps
 * `noUncheckedIndexedAccess` on without `!`, and the impossible branch in one tested place.
 */

/** The element at `index`. Throws RangeError when there is none, which means a defect in the caller. */
export function at<T>(items: readonly T[], index: number): T {
  const item = items[index];
  if (item === undefined) {
    throw new RangeError(`no element at ${String(index)} of ${String(items.length)}`);
  }
  return item;
}

/** The number at `index`; NaN where there is none, which means a defect in the caller. For what every pick runs. */
export function numberAt(numbers: Float64Array, index: number): number {
  return numbers[index] ?? NaN;
}

/** The same for whole numbers: one function for each kind of array is faster than one for both. */
export function indexAt(indices: Int32Array, index: number): number {
  return indices[index] ?? NaN;
}
