/**
 * The real files that `tls` names.
 *
 * Place: for loadTls, at the start, with each configuration, and in `lb4 check`.
 */
import { statSync } from 'node:fs';
import { readSmallBytes } from '../../support/small-file.ts';

const BY_OTHERS = 0o004;

export const tlsFiles = {
  readBytes: (path: string): Buffer => readSmallBytes(path),
  isOpenToAll: (path: string): boolean => {
    const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
    return process.platform !== 'win32' && (mode & BY_OTHERS) !== 0;
  },
};
