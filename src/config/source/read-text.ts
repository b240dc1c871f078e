/**
 * Reads a configuration file as text, at most 1 MiB of it, or explains in plain words why it cannot.
 *
 * Place: the first step of load.ts. Synchronous, because it runs at the start and on a reload only and is bounded. A pipe
 * is read until it ends; a process that has sessions must not wait for that, so a reload takes regular files only.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { systemCode } from '../../errors.ts';
import { printable } from '../../support/printable.ts';

export type UnreadableReason =
  'missing' | 'directory' | 'empty' | 'binary' | 'tooLarge' | 'permission' | 'failed';

export type ReadText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly reason: UnreadableReason; readonly message: string };

const LARGEST_BYTES = 1024 * 1024;

const REASONS: Readonly<Record<string, [UnreadableReason, string]>> = {
  ENOENT: ['missing', 'there is no such file'],
  ENOTDIR: ['missing', 'there is no such file'],
  EISDIR: ['directory', 'it is a directory'],
  EACCES: ['permission', 'permission denied'],
  EPERM: ['permission', 'permission denied'],
  NOFILE: ['failed', 'it is no regular file, and only such a file can be read again'],
};

/**
 * The text of `file`, without a byte order mark. Never throws.
 * @param mayWait whether pipes and the like are read, which may take for ever
 */
export function readText(file: string, mayWait = true): ReadText {
  let bytes: Buffer;
  try {
    bytes = readBytes(file, mayWait);
  } catch (error) {
    const code = systemCode(error);
    const [reason, words] = REASONS[code] ?? ['failed', code];
    return unreadable(file, reason, words);
  }
  if (bytes.length > LARGEST_BYTES) return unreadable(file, 'tooLarge', 'it is larger than 1 MiB');
  if (bytes.includes(0)) return unreadable(file, 'binary', NOT_TEXT);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return unreadable(file, 'binary', NOT_TEXT);
  }
  return text.trim() === '' ? emptyFile(file) : { ok: true, text };
}

/** A file that is empty, or has only comments. */
export function emptyFile(file: string): ReadText & { ok: false } {
  return unreadable(file, 'empty', 'it is empty');
}

const NOT_TEXT = 'it is not a text file (UTF-8)';

/** At most one byte more than allowed. */
function readBytes(file: string, mayWait: boolean): Buffer {
  // Without it, opening a pipe waits for its writer.
  const handle = openSync(file, constants.O_RDONLY | (mayWait ? 0 : constants.O_NONBLOCK));
  try {
    const found = fstatSync(handle);
    if (found.isDirectory()) throw Object.assign(new Error('directory'), { code: 'EISDIR' });
    if (!mayWait && !found.isFile()) throw Object.assign(new Error('no file'), { code: 'NOFILE' });
    const buffer = Buffer.alloc(LARGEST_BYTES + 1);
    let length = 0;
    // Pipes, such as bash's <(…), deliver their bytes in pieces.
    while (length < buffer.length) {
      const count = readSync(handle, buffer, length, buffer.length - length, null);
      if (count === 0) break;
      length += count;
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(handle);
  }
}

function unreadable(file: string, reason: UnreadableReason, words: string): ReadText & { ok: false } {
  return { ok: false, reason, message: printable(`cannot read ${file}: ${words}`) };
}
