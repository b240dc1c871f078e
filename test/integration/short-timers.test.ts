/**
 * Short waits take as long as configured, whatever the worker's loop does meanwhile. Each is measured on an otherwise
 * quiet worker, where nothing else ends the loop's wait for its sockets; of several tries the fourth
 * fastest counts: any of them may meet a busy machine, and one may be lucky.
 */
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { createLoadBalancer, type EventMap } from '../../src/index.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { refusingAddress, scripts, startBackend, startDeafBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { addressOf } from '../harness/listening-address.ts';
import { pause, until } from '../harness/until.ts';

type UpstreamInput = ConfigInput['upstreams'][number];

const skip = loadLibc().ok ? false : 'workers need koffi on Linux';
const TRIES = 12;
const WAIT_MS = 10;
/** The loop waits for 50 ms at a time. */
const TOO_LONG_MS = 40;

for (const engine of ['epoll', 'node'] as const) {
  const test = (
    what: string,
    upstream: (t: Test) => Promise<Partial<UpstreamInput>>,
    reason: string,
    prepare: (t: Test, address: Address) => Promise<unknown> = () => Promise.resolve(),
  ): void => {
    void t.test(`${engine} engine: ${what}`, { skip }, async t => {
      const balancer = createLoadBalancer({
        engine,
        workers: 1,
        listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app' }],
        upstreams: [{ name: 'app', health: 'off', ejection: 'off', backends: [], ...(await upstream(t)) }],
      });
      t.teardown(() => balancer.stop());
      const records: EventMap['session:closed'][] = [];
      balancer.on('session:closed', record => records.push(record));
      await balancer.start();
      await prepare(t, addressOf(balancer));
      for (let i = 1; i <= TRIES; i++) {
        // It may be refused before it is told that it is connected.
        await connectClient(t, addressOf(balancer)).catch(() => undefined);
        await until('it is over', () => records.length >= i);
      }
      const times = records.filter(each => each.reason === reason).map(({ durationMs }) => durationMs);
      times.sort((a, b) => a - b);
      t.ok(Number(times[0]) >= WAIT_MS - 1, `${times[0]} ms is not too short`);
      t.ok(Number(times[3]) < TOO_LONG_MS, times.map(Math.round).join(', '));
    });
  };

  test(
    'connect.retryDelay',
    async () => ({
      backends: [formatAddress(await refusingAddress())],
      connect: { retriesPerBackend: 1, retryDelay: WAIT_MS, retryBudget: { minPerSecond: 1000 } },
    }),
    'refused',
  );

  test(
    'connect.backoff',
    async () => ({
      backends: [formatAddress(await refusingAddress())],
      connect: { rounds: 2, backoff: WAIT_MS, retryBudget: { minPerSecond: 1000 } },
    }),
    'refused',
  );

  test(
    'connect.deadline',
    async t => {
      const deaf = await startDeafBackend(t);
      // More than its backlog takes: the last ones wait for as long as the test lasts.
      for (let i = 0; i < 4; i++) void connectClient(t, deaf).catch(() => undefined);
      await pause(50);
      return { backends: [formatAddress(deaf)], connect: { deadline: WAIT_MS } };
    },
    'deadline',
  );

  test(
    'queue.timeout',
    async t => ({
      backends: [{ address: formatAddress((await startBackend(t, scripts.echo)).address), maxSessions: 1 }],
      queue: { timeout: WAIT_MS },
    }),
    'queueTimeout',
    async (t, address) => {
      const first = await connectClient(t, address);
      await first.send('x');
      await first.untilText('x');
    },
  );
}
