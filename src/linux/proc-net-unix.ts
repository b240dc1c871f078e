/**
 * A row of /proc/net/unix: a unix socket of this network, as the kernel prints it (proc(5)).
 *
 * Place: asked who listens at a path, and whether a program is about to.
 */

export interface UnixRow {
  /** In hexadecimal, as the next two. */
  readonly flags: string;
  readonly type: string;
  readonly state: string;
  readonly inode: string;
  /** As it was bound; `@` before a name in the abstract namespace. */
  readonly path: string;
}

const ROW = /^\S+ \S+ \S+ (\S+) (\S+) (\S+) +(\d+) (.+)$/s;

/** Undefined for a socket without a path, and for what is no row. */
export function unixRow(line: string): UnixRow | undefined {
  const [, flags, type, state, inode, path] = ROW.exec(line) ?? [];
  if (flags === undefined || type === undefined || state === undefined) return undefined;
  return inode === undefined || path === undefined ? undefined : { flags, type, state, inode, path };
}
