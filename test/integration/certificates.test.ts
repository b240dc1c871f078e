/** Renewed files of a whole balancer: towards clients and backends, under sessions that run. */
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import t from 'tap';
import { createLoadBalancer } from '../../src/load-balancer.ts';
import { issue, issueChain } from '../harness/certificates.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

for (const [way, plane] of Object.entries({ 'as configured': DATA_PLANE, ...OWN_THREAD })) {
  void t.test(`what clients and backends are shown is renewed, and a session goes on (${way})`, async t => {
    const folder = temporaryFolder(t);
    const put = (file: string, text: string): void => {
      writeFileSync(join(folder, `${file}.new`), text);
      renameSync(join(folder, `${file}.new`), join(folder, file));
    };
    const { root, between } = issueChain();
    const renew = (name: string, count: number): void => {
      const { cert, key } = issue({ name: `${name} ${count}`, dns: [], issuer: between });
      put(`${name}.pem`, cert + between.cert);
      put(`${name}.key`, key);
    };
    renew('front', 1);
    renew('own', 1);
    const server = issue({ issuer: between });
    put('ca.pem', root.cert);
    // A backend that says whose certificate it has been shown.
    const backend = createServer(
      { cert: server.cert + between.cert, key: server.key, ca: root.cert, requestCert: true },
      socket => {
        socket.on('error', () => undefined);
        socket.on('data', () => socket.write(`${String(socket.getPeerCertificate().subject.CN)}\n`));
      },
    ).listen(0, '127.0.0.1');
    await once(backend, 'listening');
    const { port } = backend.address() as { port: number }; // it listens at a port
    const pair = (name: string) => ({ cert: `${name}.pem`, key: `${name}.key` });
    const tls = { ...pair('own'), ca: 'ca.pem' };
    const balancer = createLoadBalancer(
      {
        listeners: [{ name: 'web', bind: '127.0.0.1:0', upstream: 'app', tls: pair('front') }],
        upstreams: [{ name: 'app', backends: [`127.0.0.1:${port}`], health: 'off', tls }],
        ...plane,
      },
      { baseDir: folder },
    );
    const renewed: string[] = [];
    balancer.on('certificate:renewed', ({ listener, upstream, file }) =>
      renewed.push(`${listener ?? upstream ?? ''} ${file}`),
    );
    const clients: TLSSocket[] = [];
    t.teardown(async () => {
      for (const client of clients) client.destroy();
      await balancer.stop();
      backend.close();
    });
    await balancer.start();
    const [, at = ''] = /:(\d+)$/.exec(balancer.snapshot().listeners[0]?.addresses[0] ?? '') ?? [];
    const come = async (): Promise<readonly [TLSSocket, string]> => {
      const client = connect({ host: '127.0.0.1', port: Number(at), rejectUnauthorized: false });
      clients.push(client);
      client.on('error', () => undefined);
      await once(client, 'secureConnect');
      const shown = String(client.getPeerCertificate().subject.CN);
      return [client, `${shown}, ${await asked(client)}`];
    };
    const asked = async (client: TLSSocket): Promise<string> => {
      client.write('who\n');
      const [answer] = (await once(client, 'data')) as [Buffer];
      return answer.toString().trim();
    };
    const [first, shown] = await come();
    t.equal(shown, 'front 1, own 1');
    for (const count of [2, 3]) {
      renewed.length = 0;
      renew('front', count);
      renew('own', count);
      await until('both are renewed', () => renewed.length === 2);
      t.same(renewed.toSorted(), ['app own.pem', 'web front.pem']);
      await balancer.settled();
      t.equal((await come())[1], `front ${count}, own ${count}`);
      t.equal(await asked(first), 'own 1', 'on the connection that it had');
    }
    t.match(balancer.snapshot(), {
      listeners: [{ tls: { certificates: [{ file: 'front.pem', daysLeft: 89 }] } }],
      upstreams: [{ tls: { verify: true, ca: 'ca.pem', certificates: [{ file: 'own.pem' }] } }],
    });
  });
}
