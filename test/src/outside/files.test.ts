/**
 * Files from outside, at every reader of them: what is no file, or has no end, is refused in words or counts as empty.
 * Nothing waits for it.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { readCertificates, readPassword, readPrivateKey } from '../../../src/config/source/named-files.ts';
import { readText } from '../../../src/config/source/read-text.ts';
import { PidFile } from '../../../src/cli/pid-file.ts';
import { Names } from '../../../src/names/names.ts';
import { isSmallFileOrNone, readSmallFile } from '../../../src/support/small-file.ts';
import { numberOf } from '../../../src/support/system-names.ts';

const folder = t.testdir({ folder: {} });
const fifo = join(folder, 'fifo');
spawnSync('mkfifo', [fifo]);
const huge = join(folder, 'huge');
const fd = openSync(huge, 'w');
ftruncateSync(fd, 2 ** 40);
closeSync(fd);

/** With what is said of them. */
const ODD: Readonly<Record<string, string>> = {
  [fifo]: 'it is not a regular file',
  '/dev/zero': 'it is not a regular file',
  '/dev/full': 'it is not a regular file',
  [join(folder, 'folder')]: 'EISDIR',
  [huge]: 'it is larger than 16 MiB',
};

void t.test('files that a configuration names are refused in words', async t => {
  const deps = { baseDir: '/', at: [], readFile: readSmallFile };
  for (const [path, words] of Object.entries(ODD)) {
    for (const read of [
      () => readPassword(['passwordFile'], path, deps),
      () => readCertificates(['tls', 'ca'], path, deps),
      () => readPrivateKey(['tls', 'key'], path, '', deps),
    ]) {
      t.throws(read, { code: 'LB4_CONFIG_INVALID', message: new RegExp(words) }, path);
    }
  }
});

void t.test('files of the system count as empty, and names are still resolved', async t => {
  for (const path of Object.keys(ODD)) {
    const names = new Names({
      hosts: path,
      resolvConf: path,
      nsswitch: path,
      createServer: () => ({
        resolve4: () => Promise.resolve(['192.0.2.1']),
        resolve6: () => Promise.reject(Object.assign(new Error('none'), { code: 'ENODATA' })),
        cancel: () => undefined,
      }),
    });
    t.same((await names.lookup('db.example')).addresses, ['192.0.2.1'], path);
    names.close();
    t.throws(() => numberOf('user', 'nobody-at-all', () => readSmallFile(path)), /there is no user/, path);
  }
});

void t.test('what others would read for ever is seen before', t => {
  for (const path of Object.keys(ODD)) t.equal(isSmallFileOrNone(path), false, path);
  for (const path of ['/etc/passwd', join(folder, 'none')]) t.equal(isSmallFileOrNone(path), true, path);
  t.end();
});

void t.test('a configuration without end and a pid file that is none are refused', async t => {
  for (const path of ['/dev/zero', huge, join(folder, 'folder')]) t.equal(readText(path).ok, false, path);
  for (const path of Object.keys(ODD)) t.throws(() => new PidFile(path), /cannot write the pid file/, path);
});

/** What lb4 itself or the kernel writes. */
const OWN = [
  'admin/dashboard-files.ts',
  'cli/doctor/this-machine.ts',
  'cli/pid-file.ts',
  'cli/version.ts',
  'host/build-data-plane.ts',
  'linux/process-name.ts',
  'linux/socket-file.ts',
  'support/process-limits.ts',
  'support/self-connect.ts',
];

void t.test('no other reader has come: new ones take support/small-file.ts', async t => {
  const source = fileURLToPath(new URL('../../../../src', import.meta.url));
  const readers = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    file => file.endsWith('.ts') && readFileSync(join(source, file), 'utf8').includes('readFileSync('),
  );
  t.same(readers.sort(), OWN);
});
