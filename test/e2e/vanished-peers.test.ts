/**
 * A peer's machine that is gone without a word: keepalive ends the session as if that side had reset it, though no
 * timeout of lb4's own does.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { formatAddress, type TcpAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import {
  BACK_HOST,
  createFaultyNetwork,
  FRONT_HOST,
  skipWithoutNetworkFaults,
} from '../harness/faulty-network.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import '../harness/run-once.ts';

const skip = await skipWithoutNetworkFaults();
const SOON = { idle: '1s', interval: '1s', count: 2 } as const;

for (const engine of ['epoll', 'node'] as const) {
  for (const vanishes of ['client', 'backend'] as const) {
    void t.test(`${engine} engine: the ${vanishes} vanishes`, { skip }, async t => {
      const network = await createFaultyNetwork(t);
      const { front, back } = network;
      const far = { host: BACK_HOST, namespace: back };
      const near = { host: FRONT_HOST, namespace: front };
      const backendAt = vanishes === 'backend' ? far : near;
      const clientAt = vanishes === 'client' ? far : near;
      const backend = await backendAt.namespace.run(() =>
        startBackend(t, scripts.echo, { kind: 'tcp', host: backendAt.host, port: 0 }),
      );
      const config: ConfigInput = {
        engine,
        workers: 1,
        listeners: [
          {
            name: 'web',
            bind: `${FRONT_HOST}:0`,
            upstream: 'app',
            keepalive: SOON,
            timeouts: { idle: '0s' },
          },
        ],
        upstreams: [
          { name: 'app', backends: [formatAddress(backend.address)], health: 'off', keepalive: SOON },
        ],
      };
      const path = join(t.testdir(), 'lb4.json');
      writeFileSync(path, JSON.stringify(config));
      const lb4 = await front.run(() => startLb4(t, ['-c', path, '--access-log']));
      const address: TcpAddress = { kind: 'tcp', host: lb4.host, port: lb4.port };
      const client = await clientAt.namespace.run(() => connectClient(t, address));
      await client.send('hello');
      await client.untilText('hello');
      await network.cable('down');
      t.match(await lb4.line(({ event }) => event === 'session'), {
        by: vanishes,
        phase: 'relay',
        reason: 'reset',
        bytesFromClient: 5,
      });
    });
  }
}
