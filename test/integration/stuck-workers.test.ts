/** Workers that never move again: their clients are freed, others take their place, and nothing waits for them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer } from '../../src/index.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { connectFrom, served } from '../harness/served-client.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const skip = loadLibc().ok ? false : 'workers need koffi on Linux';

/** Blocks its thread for ever when a client comes from 127.0.0.2. */
function blockingStrategy(t: Test, how: string): string {
  const folder = temporaryFolder(t);
  const path = join(folder, 'blocking.mjs');
  writeFileSync(
    path,
    `import { execSync } from 'node:child_process';
     export function createStrategy(candidates) {
       return { pick({ clientAddress, skip }) {
         if (clientAddress === '127.0.0.2') ${how};
         return candidates.find(candidate => !skip?.(candidate));
       } };
     }`,
  );
  return path;
}

async function withStuckWorker(t: Test, how: string) {
  const backend = await startBackend(t, scripts.echo);
  const balancer = createLoadBalancer({
    ...DATA_PLANE,
    workers: 1,
    workerStallTimeout: '2s',
    listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
    upstreams: [
      {
        name: 'app',
        health: 'off',
        strategy: blockingStrategy(t, how),
        backends: [formatAddress(backend.address)],
      },
    ],
  });
  t.teardown(() => balancer.stop());
  /** Sessions that were accounted for, by a record or by their number. */
  const accounted = { recorded: 0, unrecorded: 0 };
  balancer.on('session:closed', () => (accounted.recorded += 1));
  balancer.on('session:unrecorded', ({ sessions }) => (accounted.unrecorded += sessions));
  const reasons: string[] = [];
  balancer.on('worker:exited', ({ reason }) => reasons.push(reason));
  const restarted: number[] = [];
  balancer.on('worker:restarted', ({ worker }) => restarted.push(worker));
  await balancer.start();
  const client = await served(t, balancer);
  connectFrom(t, balancer, '127.0.0.2');
  return { balancer, client, reasons, restarted, accounted };
}

void t.test(
  'a worker whose strategy loops for ever is ended; its clients are reset, and new ones served',
  { skip },
  async t => {
    const { balancer, client, reasons, restarted, accounted } = await withStuckWorker(t, 'for (;;) {}');
    const silentMs = (): number | undefined => balancer.snapshot().workers[0]?.silentMs;
    await until('its silence is seen', () => (silentMs() ?? 0) >= 500);
    t.equal(await client.untilEnded(), 'reset');
    await until('another has taken its place', () => restarted.length === 1);
    t.same(reasons, ['it had not moved for 2 s and was ended']);
    // The one that was served, and the one at which it got stuck.
    t.same(accounted, { recorded: 0, unrecorded: 2 }, 'each session is accounted for once');
    await served(t, balancer);
    t.match(balancer.snapshot(), { sessions: 1, workers: [{ state: 'running', sessions: 1 }] });
  },
);

void t.test('a worker that dies of an error has reported its sessions itself', { skip }, async t => {
  const how = `setTimeout(() => { throw new Error('a defect'); }, 50)`;
  const { client, restarted, accounted } = await withStuckWorker(t, how);
  t.equal(await client.untilEnded(), 'reset');
  await until('another has taken its place', () => restarted.length === 1);
  t.same(accounted, { recorded: 2, unrecorded: 0 }, 'each session is accounted for once');
});

void t.test(
  'so is one that blocks in a system call, although its thread cannot be ended',
  { skip },
  async t => {
    const { balancer, client, reasons, restarted, accounted } = await withStuckWorker(
      t,
      `execSync('sleep 5')`,
    );
    t.equal(await client.untilEnded(), 'reset');
    await until('another has taken its place', () => restarted.length === 1);
    t.match(reasons, [/^it had not moved for 2 s and was ended; its thread blocks in a system call/]);
    // The one that was served, and the one at which it got stuck.
    t.same(accounted, { recorded: 0, unrecorded: 2 }, 'each session is accounted for once');
    await served(t, balancer);
    t.match(balancer.snapshot(), { sessions: 1, workers: [{ state: 'running', sessions: 1 }] });
    await balancer.stop();
    t.equal(balancer.snapshot().sessions, 0);
  },
);
