/**
 * Backends that a file names, while it is written, replaced, broken and gone.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parseConfig } from '../../src/config/source/parse.ts';
import { LoadBalancer } from '../../src/load-balancer.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { FULL } from '../harness/full-load.ts';
import { startHttpBackends } from '../harness/http-backend.ts';
import { addressOf } from '../harness/listening-address.ts';
import { keepLoading } from '../harness/paced-sessions.ts';
import { pause, until } from '../harness/until.ts';

const placesUnderTest = { workers: DATA_PLANE, ...OWN_THREAD };

async function start(
  t: Test,
  text: string | undefined,
  upstream: object = {},
  dataPlane: object = { workers: 0 },
) {
  const folder = t.testdir({});
  const file = join(folder, 'targets.yaml');
  const write = (content: string): void => {
    writeFileSync(`${file}.new`, content);
    renameSync(`${file}.new`, file);
  };
  if (text !== undefined) write(text);
  const parsed = parseConfig({
    ...dataPlane,
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [
      { name: 'app', health: 'off', discovery: [{ type: 'file', path: 'targets.yaml' }], ...upstream },
    ],
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  const balancer = new LoadBalancer(parsed.config, { baseDir: folder });
  t.teardown(() => balancer.stop());
  const reported: string[] = [];
  balancer.on('source:failed', ({ source, reason, kept }) =>
    reported.push(`${source}: ${reason}, ${kept} kept`),
  );
  balancer.on('source:recovered', ({ source }) => reported.push(`${source} is back`));
  balancer.on('backend:added', ({ backend }) => reported.push(`+${backend}`));
  balancer.on('backend:removed', ({ backend }) => reported.push(`-${backend}`));
  await balancer.start();
  const app = () => {
    const [view] = balancer.snapshot().upstreams;
    if (view === undefined) throw new Error('no upstream');
    return view;
  };
  const members = (): string =>
    app()
      .backends.map(({ backend }) => backend)
      .join(' ');
  return { balancer, file, write, reported, app, members };
}

void t.test('the first answer is there before the first client, without events or a slow start', async t => {
  const { app, members, reported } = await start(t, '[10.0.0.1:80, 10.0.0.2:80@3]', { slowStart: '1m' });
  t.equal(members(), '10.0.0.1:80 10.0.0.2:80');
  t.match(app(), {
    sources: [{ source: 'file targets.yaml', state: 'answering', backends: 2 }],
    backends: [
      { state: 'up', share: 1, sources: ['file targets.yaml'] },
      { state: 'up', weight: 3 },
    ],
    overrides: [],
  });
  t.same(reported, []);
});

void t.test('a file that is missing, broken, or half written keeps what it said last', async t => {
  const { file, write, members, reported, app } = await start(t, undefined);
  t.match([members(), app().mode, reported], ['', 'down', ['file targets.yaml: ENOENT, 0 kept']]);
  write('- 10.0.0.1:80\n');
  await until('the file is read', () => members() === '10.0.0.1:80');
  write('- 10.0.0.1:80\n- 10.0.0.2\n');
  await until('the bad line is reported', () => reported.some(line => line.includes('line 2')));
  t.equal(members(), '10.0.0.1:80');
  rmSync(file);
  await until('the missing file is reported', () => app().sources?.[0]?.why === 'ENOENT');
  t.equal(members(), '10.0.0.1:80');
  write('[10.0.0.2:80]');
  await until('the file is read', () => members() === '10.0.0.2:80');
  t.match(app().sources, [{ state: 'answering', backends: 1 }]);
  t.match(reported.slice(-3), ['file targets.yaml is back', '-10.0.0.1:80', '+10.0.0.2:80']);
});

void t.test('what an operator has removed or weighted stays so while the source names it', async t => {
  const { balancer, write, members, app } = await start(t, '[10.0.0.1:80, 10.0.0.2:80]');
  balancer.removeBackend('app', '10.0.0.1:80');
  balancer.setBackendWeight('app', '10.0.0.2:80', 7);
  balancer.addBackend('app', '10.0.0.9:80');
  write('[10.0.0.1:80, 10.0.0.2:80, 10.0.0.3:80]');
  await until('the file is read', () => members().includes('10.0.0.3:80'));
  t.equal(members(), '10.0.0.2:80 10.0.0.3:80 10.0.0.9:80');
  t.match(app().backends, [{ weight: 7 }, { weight: 1 }, { sources: undefined }]);
  t.same(
    app().overrides.map(({ backend, what }) => `${what} ${backend}`),
    ['weight 10.0.0.2:80', 'added 10.0.0.9:80', 'removed 10.0.0.1:80'],
  );
});

for (const [place, dataPlane] of Object.entries(placesUnderTest)) {
  void t.test(
    `members come and go for a while at 200 sessions a second, in ${place}: none fails`,
    async t => {
      const durationMs = FULL ? 60_000 : 3_000;
      const backends = await startHttpBackends(t, ['one', 'two', 'three', 'four']);
      const [one = '', two = '', three = '', four = ''] = backends.addresses;
      const turns = [[one, two], [two, three], [one], [three, four, one], [four]];
      const { balancer, file, members, app } = await start(t, JSON.stringify(turns[0]), {}, dataPlane);
      const load = { ratePerSecond: 200, durationMs: 2_000, answerWithinMs: 10_000 };
      const endLoad = keepLoading(t, { address: addressOf(balancer), ...load });
      const endMs = Date.now() + durationMs;
      for (let i = 1; Date.now() < endMs; i++) {
        const turn = turns[i % turns.length] ?? [];
        // Not `write`: a rename that blocks would hold up the sessions of this very thread.
        await writeFile(`${file}.new`, JSON.stringify(turn));
        await rename(`${file}.new`, file);
        await until('the file is read', () => turn.every(each => members().includes(each)));
        // Members that flap stay for a while, so the file may say nothing new.
        await pause(100);
      }
      await endLoad();
      await until('its sessions have ended', () => balancer.snapshot().sessions === 0);
      t.ok(app().backends.every(({ sessions }) => sessions === 0));
    },
  );
}

void t.test('`removed: reset` ends the sessions of a backend that leaves, and `keep` does not', async t => {
  for (const removed of ['reset', 'keep'] as const) {
    const { addresses } = await startHttpBackends(t, ['one', 'two']);
    const [one = '', two = ''] = addresses;
    const { balancer, write, members } = await start(t, JSON.stringify([one]), { removed });
    const client = await connectClient(t, addressOf(balancer));
    await until('it has its backend', () => balancer.snapshot().sessions === 1);
    write(JSON.stringify([two]));
    await until('the file is read', () => members().startsWith(two));
    if (removed === 'reset') {
      await until('it is reset', () => client.ending === 'reset');
    } else {
      t.equal(balancer.snapshot().sessions, 1);
      client.socket.destroy();
    }
  }
});
