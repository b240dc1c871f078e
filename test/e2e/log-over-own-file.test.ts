/** A log over the configuration or the pid file is refused, by every way to the file. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startCommandLine } from '../harness/command-line.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const lb4 = startCommandLine(t);

function configured(log: object) {
  const folder = temporaryFolder(t);
  const file = join(folder, 'lb4.json');
  const upstreams = [{ name: 'app', health: 'off', backends: ['127.0.0.1:9'] }];
  const listeners = [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }];
  writeFileSync(file, JSON.stringify({ listeners, upstreams, log }));
  mkdirSync(join(folder, 'sub'));
  symlinkSync(file, join(folder, 'link'));
  return { folder, file };
}

void t.test('the configuration file is no log', async t => {
  for (const path of ['lb4.json', 'sub/../lb4.json', 'link']) {
    for (const [at, log] of [
      ['log.to.path', { to: { type: 'file', path } }],
      ['log.access.to.path', { access: { to: { type: 'file', path } } }],
    ] as const) {
      const { file } = configured(log);
      const before = readFileSync(file, 'utf8');
      for (const command of [
        ['check', '-c', file],
        ['-c', file],
      ]) {
        const { code, stderr } = await lb4(command);
        t.equal(code, 78, `${path} ${command[0] ?? ''}`);
        t.match(stderr, `${at}: expected a file for the log alone, got `);
        t.match(stderr, ', which is the configuration file');
      }
      t.equal(readFileSync(file, 'utf8'), before, 'nothing is appended');
    }
  }
});

void t.test('the pid file is no log', async t => {
  const { folder, file } = configured({ to: { type: 'file', path: 'lb4.pid' } });
  const { code, stderr } = await lb4(['-c', file, '--pid-file', join(folder, 'lb4.pid')]);
  t.equal(code, 78);
  t.match(stderr, /log\.to\.path: expected a file for the log alone, got .*, which is the pid file/);
});
