/** Locks on open files: which may stand beside each other, when they end, and what a file system without locks says. */
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { lockFile } from '../../../src/linux/file-lock.ts';
import type { Libc } from '../../../src/linux/libc.ts';
import { libc, withoutLibc } from '../../harness/real-libc.ts';

void t.test('shared locks go together, an exclusive one stands alone', { skip: withoutLibc }, t => {
  const path = join(t.testdir({ file: '' }), 'file');
  const [one, two, three] = [openSync(path, 'r+'), openSync(path, 'r+'), openSync(path, 'r+')];
  t.equal(lockFile(libc(), one, 'shared'), 'locked');
  t.equal(lockFile(libc(), two, 'shared'), 'locked');
  t.equal(lockFile(libc(), three, 'exclusive'), 'held');
  closeSync(one);
  t.equal(lockFile(libc(), three, 'exclusive'), 'held');
  closeSync(two);
  t.equal(lockFile(libc(), three, 'exclusive'), 'locked');
  closeSync(three);
  t.end();
});

void t.test('what is refused for another lock is held, and everything else is a lack of locks', t => {
  const refusing = (errno: number): Libc =>
    ({ flock: () => -1, errno: () => errno }) as Partial<Libc> as Libc;
  const { EAGAIN, EACCES, ENOLCK, EOPNOTSUPP } = constants.errno;
  for (const errno of [EAGAIN, EACCES]) t.equal(lockFile(refusing(errno), 3, 'shared'), 'held');
  for (const errno of [ENOLCK, EOPNOTSUPP]) t.equal(lockFile(refusing(errno), 3, 'shared'), 'unsupported');
  t.end();
});
