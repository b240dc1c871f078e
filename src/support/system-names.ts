/**
 * Users and groups of this system by name, as in /etc/passwd and /etc/group.
 *
 * Place: for the owners of unix sockets, at the start and in `lb4 check`. Users that only a directory service knows
 * (LDAP) are given by number.
 */
import { readSmallFile } from './small-file.ts';

const FILES = { user: '/etc/passwd', group: '/etc/group' } as const;

export type NameKind = keyof typeof FILES;

/** Throws an Error that names what does not exist. Undefined stays undefined. */
export function numberOf(
  kind: NameKind,
  name: string | number | undefined,
  readFile: (path: string) => string = path => readSmallFile(path, 32),
): number | undefined {
  if (typeof name !== 'string') return name;
  const file = FILES[kind];
  for (const line of linesOf(file, readFile)) {
    const [each, , number = ''] = line.split(':');
    if (each === name && /^\d+$/.test(number)) return Number(number);
  }
  throw new UnknownName(kind, name);
}

/** A system without the file has no such names. */
function linesOf(file: string, readFile: (path: string) => string): readonly string[] {
  try {
    return readFile(file).split('\n');
  } catch {
    return [];
  }
}

export class UnknownName extends Error {
  readonly kind: NameKind;

  constructor(kind: NameKind, name: string) {
    super(`there is no ${kind} ${name} in ${FILES[kind]}`);
    this.kind = kind;
  }
}
