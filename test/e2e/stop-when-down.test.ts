/** `stopWhenDown` over upgrades: the new process keeps what is open, and decides by itself. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { connectClient } from '../harness/client.ts';
import { FaultyBackend, ownHost } from '../harness/faulty-backend.ts';
import { listenAddress } from '../harness/listening-address.ts';
import { freePort } from '../harness/programs.ts';
import { withoutLibc } from '../harness/real-libc.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';
import { startUpgradedLb4, untilGone } from '../harness/upgraded-lb4.ts';

async function isRefused(t: Test, address: Address): Promise<boolean> {
  try {
    (await connectClient(t, address)).reset();
    return false;
  } catch (error) {
    return (error as { code?: string }).code === 'ECONNREFUSED';
  }
}

for (const [engine, workers] of [
  ['epoll', 2],
  ['node', 0],
] as const) {
  void t.test(`${engine} engine, ${workers} workers`, { skip: withoutLibc }, async t => {
    const backend = await FaultyBackend.start('one', ownHost(7), 'serve');
    t.teardown(() => backend.close());
    const port = await freePort();
    const file = join(temporaryFolder(t), 'lb4.json');
    const health = { type: 'tcp', interval: '500ms', timeout: '500ms', rise: 1, fall: 1, initial: 'checked' };
    writeFileSync(
      file,
      JSON.stringify({
        ...{ engine, workers, drainTimeout: '1s' },
        listeners: [{ name: 'web', bind: `127.0.0.1:${port}`, upstream: 'app', stopWhenDown: true }],
        upstreams: [{ name: 'app', health, backends: [formatAddress(backend.address)] }],
      }),
    );
    const at = listenAddress(`127.0.0.1:${port}`);
    const lb4 = await startUpgradedLb4(t, ['-c', file]);
    const count = (event: string): number => lb4.lines.filter(line => line.event === event).length;
    await until('it listens', () => count('listening') === 1);

    const first = lb4.current();
    const upgraded = lb4.upgrade().then(() => untilGone(first));
    const isOver = { now: false };
    void upgraded.finally(() => (isOver.now = true));
    let refused = 0;
    while (!isOver.now) refused += (await isRefused(t, at)) ? 1 : 0;
    await upgraded;
    t.equal(refused, 0, 'no client is refused while one process takes over from the other');
    t.equal(count('listenerStopped'), 0);

    await backend.become('refuse');
    await until('it has stopped', () => count('listenerStopped') === 1);
    await until('clients are refused', () => isRefused(t, at));
    const second = lb4.current();
    await lb4.upgrade();
    await untilGone(second);
    await until('the next one has stopped as well', () => count('listenerStopped') === 2);
    await until('clients are refused', () => isRefused(t, at));

    await backend.become('serve');
    await until('clients are let in', async () => !(await isRefused(t, at)));
  });
}
