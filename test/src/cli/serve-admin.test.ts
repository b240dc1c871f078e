/** The unix socket of an instance's admin API while another instance of its name has it. */
import { once } from 'node:events';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { createServer } from 'node:net';
import t from 'tap';
import { makeFolder, socketPaths, thisPlace } from '../../../src/cli/admin-places.ts';
import { Admin } from '../../../src/cli/serve-admin.ts';
import { parseConfig } from '../../../src/config/source/parse.ts';
import { recordingLog, temporaryFolder, type Entry } from '../../harness/admin.ts';
import { FakeBalancer } from '../../harness/fake-balancer.ts';
import { until } from '../../harness/until.ts';

const LOOK_MS = 1_000;

function waiting(name: string, entries: Entry[]): Admin {
  const parsed = parseConfig({
    name,
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
    upstreams: [{ name: 'app', backends: ['127.0.0.1:1'] }],
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  const { config } = parsed;
  return new Admin({
    ...{ config, configNow: () => config, baseDir: '/', balancer: new FakeBalancer() },
    ...{ log: recordingLog(entries), drain: () => undefined, reload: undefined, lastReload: undefined },
    ...{ figures: undefined, logs: undefined, upgrade: undefined, inherited: undefined },
  });
}

const skip = process.platform !== 'linux' && 'only Linux lists who has a socket';

void t.test('an instance that waits for its socket does not search for who has it', { skip }, async t => {
  t.intercept(process, 'env', { value: { ...process.env, XDG_RUNTIME_DIR: temporaryFolder(t) } });
  const name = `waits-${process.pid}`;
  const [path = ''] = socketPaths(name, thisPlace());
  makeFolder(path, thisPlace());
  let asked = 0;
  const other = createServer(socket => {
    asked++;
    socket.destroy();
  }).listen(path);
  t.teardown(() => other.close());
  await once(other, 'listening');

  const looks: (() => void)[] = [];
  const { setTimeout } = globalThis;
  t.intercept(globalThis, 'setTimeout', {
    value: (callback: () => void, ms: number) =>
      setTimeout(ms === LOOK_MS ? () => looks.push(callback) : callback, ms === LOOK_MS ? 0 : ms),
  });
  const links = t.capture(fs, 'readlinkSync', fs.readlinkSync);
  syncBuiltinESMExports();
  const look = async (): Promise<void> => {
    await until('it looks again', () => looks.length > 0);
    looks.shift()?.();
  };

  const entries: Entry[] = [];
  const admin = waiting(name, entries);
  t.teardown(() => admin.close());
  await admin.openSocket();
  t.match(entries, [{ event: 'adminUnavailable', message: /in use by this process itself/ }]);
  t.ok(links().length > 0, 'its log says once who has it');
  asked = 0;
  for (let i = 0; i < 30; i++) await look();
  await until('it waits', () => looks.length > 0);
  t.equal(asked, 3, 'it asks with every tenth look');
  t.same(links(), [], 'and reads the descriptors of no process');

  await new Promise(resolve => other.close(resolve));
  await look();
  await until('it has the socket', () => entries.length > 1);
  t.match(entries[1], { event: 'adminListening', fields: { address: `unix:${path}` } });
});
