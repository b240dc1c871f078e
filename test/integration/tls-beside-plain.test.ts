/** Real TLS in workers of the node engine, beside a plain listener on epoll: one instance for whoever asks it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { createLoadBalancer } from '../../src/index.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress, parseAddress, type Address } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { issue } from '../harness/certificates.ts';
import { connectClient } from '../harness/client.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { connectTlsClient } from '../harness/tls-peer.ts';
import { until } from '../harness/until.ts';

const skip = loadLibc().ok ? false : 'workers need koffi on Linux';

for (const workers of [1, 2]) {
  void t.test(`a reload brings TLS to an instance with ${workers} of epoll`, { skip }, async t => {
    const folder = temporaryFolder(t);
    const { cert, key } = issue();
    writeFileSync(join(folder, 'site.pem'), cert + key);
    const backend = await startBackend(t, scripts.echo);
    const site = join(folder, 'site.pem');
    const tls = { cert: site, key: site };
    const configWith = (...listeners: ConfigInput['listeners'][number][]): ConfigInput => ({
      ...{ engine: 'epoll', workers, listeners },
      upstreams: [{ name: 'app', health: 'off', backends: [formatAddress(backend.address)] }],
    });
    const plain = { name: 'plain', bind: '127.0.0.1:0', upstream: 'app' };
    const safe = { name: 'safe', bind: '127.0.0.1:0', upstream: 'app', tls };
    const balancer = createLoadBalancer(configWith(plain));
    t.teardown(() => balancer.stop());
    const events: unknown[] = [];
    balancer.on('workers:added', event => events.push(event));
    await balancer.start();
    const addressOf = (listener: string): Address => {
      const found = balancer.snapshot().listeners.find(({ name }) => name === listener);
      const parsed = parseAddress(found?.addresses[0] ?? '');
      if (!parsed.ok) throw new Error(`${listener} listens nowhere`);
      return parsed.address;
    };
    const inClear = await connectClient(t, addressOf('plain'));
    await inClear.send('a');
    await inClear.untilText('a');
    await balancer.apply(configWith(plain, safe));
    t.same(events, [{ engine: 'node', workers }]);
    const { engine, listeners } = balancer.snapshot();
    t.same([engine, ...listeners.map(each => each.engine)], ['epoll', 'epoll', 'node']);
    const inTls = await connectTlsClient(t, addressOf('safe'));
    await inTls.send('b');
    await inTls.untilText('b');
    const views = await balancer.sessions();
    t.same(views.map(({ listener }) => listener).sort(), ['plain', 'safe'], 'both groups are asked');
    t.equal(balancer.snapshot().upstreams[0]?.backends[0]?.sessions, 2);

    // The same address, with TLS from now on; the session that runs there knows nothing of it.
    const address = addressOf('plain');
    await balancer.apply(configWith({ ...plain, tls }, safe));
    t.same(addressOf('plain'), address);
    const later = await connectTlsClient(t, address);
    await later.send('c');
    await later.untilText('c');
    await inClear.send('d');
    await inClear.untilText('ad');
    await balancer.apply(configWith(plain));
    const again = await connectClient(t, address);
    await again.send('e');
    await again.untilText('e');

    t.equal(await balancer.endSessions({ listener: 'safe' }), 1);
    await inTls.untilEnded();
    const drained = balancer.drain(10_000);
    await until('three are left', () => balancer.snapshot().sessions === 3);
    for (const client of [inClear, again]) client.reset();
    later.tls.end();
    await drained;
    t.equal(balancer.snapshot().sessions, 0);
  });
}
