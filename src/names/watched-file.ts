/**
 * A small file of the system, read again whenever it has changed.
 *
 * Place: `/etc/hosts` and its kind, which programs rewrite while lb4 runs (DHCP clients, VPNs, container runtimes).
 * Invariants:
 * - Never throws and never waits.
 * - A file that is missing, cannot be read, is no regular one or is too large counts as empty.
 * - The value is the same object as long as the file is the same.
 */
import { statSync } from 'node:fs';
import { readSmallFile } from '../support/small-file.ts';

/** Hosts files that block hosts have up to some 10 MiB. */
const MOST_MIB = 32;

export class WatchedFile<Value> {
  readonly #path: string;
  readonly #parse: (text: string) => Value;
  #version: string | undefined;
  #value: Value;

  constructor(path: string, parse: (text: string) => Value) {
    this.#path = path;
    this.#parse = parse;
    this.#value = parse('');
  }

  /** The parsed file, as it is now. */
  read(): Value {
    const version = versionOf(this.#path);
    if (version !== this.#version) {
      this.#version = version;
      this.#value = this.#parse(textOf(this.#path));
    }
    return this.#value;
  }
}

function versionOf(path: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return '';
  }
}

function textOf(path: string): string {
  try {
    return readSmallFile(path, MOST_MIB);
  } catch {
    return '';
  }
}
