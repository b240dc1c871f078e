/**
 * What a page that follows a thousand backends costs lb4 while sessions come: CPU of all its threads but the worker's, as
 * the kernel counts it, with a page and without, in turn.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { followEvents } from '../harness/event-stream.ts';
import { skipUnlessFull } from '../harness/full-load.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { pause } from '../harness/until.ts';

const BACKENDS = 1_000;
const ROUNDS = 3;
const ROUND_MS = 5_000;
/** V8 compiles what is hot, and the first statuses are dear. */
const WARM_MS = 5_000;
const AT_ONCE = 20;
const MOST_PERCENT = 3;

/** CPU time of each thread, in milliseconds. */
function threads(pid: number): Map<string, number> {
  const folder = `/proc/${pid}/task`;
  return new Map(
    readdirSync(folder).map(thread => {
      const [ns = ''] = readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ');
      return [thread, Number(ns) / 1e6];
    }),
  );
}

const skip = skipUnlessFull() || (process.platform === 'linux' ? false : 'needs /proc');

void t.test('a page of 1,000 backends costs under 3 % of a core', { skip, timeout: 90_000 }, async t => {
  const server = createServer(socket => socket.on('error', () => undefined).end('x')).listen(0, '0.0.0.0');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const backends = Array.from({ length: BACKENDS }, (_, i) => `127.1.${i >> 8}.${i & 255}:${port}`);
  const file = join(temporaryFolder(t), 'lb4.json');
  writeFileSync(
    file,
    JSON.stringify({
      ...{ workers: 1, admin: { bind: '127.0.0.1:0', socket: 'off' } },
      listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
      upstreams: [{ name: 'app', strategy: 'roundrobin', health: 'off', backends }],
    }),
  );
  const lb4 = await startLb4(t, ['-c', file]);
  const at = String((await lb4.line(({ event }) => event === 'adminListening'))['address']);
  const admin = { kind: 'tcp', host: '127.0.0.1', port: Number(at.split(':').pop()) } as const;
  let [isOver, sessions] = [false, 0];
  const come = (): void => {
    if (isOver) return;
    const socket = connect({ host: lb4.host, port: lb4.port }).on('error', () => undefined);
    socket.resume().once('close', () => {
      sessions += 1;
      come();
    });
  };
  for (let i = 0; i < AT_ONCE; i++) come();
  t.teardown(() => (isOver = true));

  /** Percent of a core, without the thread that has done most: the worker. */
  const costs = async (): Promise<number> => {
    const before = threads(lb4.pid);
    const began = performance.now();
    await pause(ROUND_MS);
    const spent = [...threads(lb4.pid)].map(([thread, ms]) => ms - (before.get(thread) ?? 0));
    const others = spent.sort((one, other) => other - one).slice(1);
    return (others.reduce((sum, ms) => sum + ms, 0) / (performance.now() - began)) * 100;
  };
  const pages: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const without = await costs();
    const page = await followEvents(t, admin, { path: '/api/v1/events?status=1s&recent=100' });
    await pause(WARM_MS);
    const withPage = await costs();
    page.close();
    const rate = Math.round((sessions / performance.now()) * 1_000);
    t.comment(
      `${withPage.toFixed(2)} % with a page, ${without.toFixed(2)} % without, about ${rate} sessions/s`,
    );
    pages.push(withPage - without);
  }
  isOver = true;
  const median = pages.sort((one, other) => one - other)[Math.floor(ROUNDS / 2)] ?? Infinity;
  // 1 to 2 where the machine has nothing else to do.
  t.ok(median > 0 && median < MOST_PERCENT, `${median.toFixed(2)} % of a core`);
});
t.setTimeout(120_000);
