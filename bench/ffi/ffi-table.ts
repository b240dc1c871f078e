/** The table of `npm run bench -- ffi`. */

export interface FfiRow {
  readonly name: string;
  /** Nanoseconds per call, by the name of the FFI. */
  readonly ns: Readonly<Record<string, number>>;
}

/** Markdown; a column for each FFI that was measured. */
export function renderFfiTable(node: string, rows: readonly FfiRow[]): string {
  const ffis = [...new Set(rows.flatMap(({ ns }) => Object.keys(ns)))];
  const cells = [
    [`Node ${node}, ns per call`, ...ffis],
    ...rows.map(({ name, ns }) => [name, ...ffis.map(ffi => ns[ffi]?.toFixed(0) ?? '–')]),
  ];
  const [head = [], ...body] = cells.map(row => `| ${row.join(' | ')} |`);
  return [head, `|---|${ffis.map(() => '---:').join('|')}|`, ...body].join('\n');
}
