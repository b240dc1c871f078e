/**
 * Link-local IPv6 addresses, which name their interface: where clients connect, where backends listen, and in checks,
 * on both engines. The interface's name has capitals, as those have that the kernel makes from PCI domains.
 */
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { connectClient } from '../harness/client.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { until } from '../harness/until.ts';
import { command, NetworkNamespace, skipWithoutNamespaces } from '../harness/network-namespace.ts';
import '../harness/run-once.ts';

const INTERFACE = 'enP2s1';
const HOST = `fe80::1%${INTERFACE}`;

void t.test('zones', { skip: skipWithoutNamespaces() }, async t => {
  const namespace = await createNamespace(t);
  const shown = await command('ip', '-n', namespace.name, '-o', 'link', 'show', 'dev', INTERFACE);
  const index = Number.parseInt(shown, 10);
  const { port, hosts } = await namespace.run(() => startHttpBackend(t));

  for (const engine of ['node', 'epoll'] as const) {
    void t.test(
      `${engine}: a zone is a name or a number, and reaches no backend in a Host header`,
      async t => {
        hosts.clear();
        const config: ConfigInput = {
          listeners: [
            { name: 'byName', bind: `[${HOST}]:0`, upstream: 'byName' },
            { name: 'byNumber', bind: `[fe80::1%${index}]:0`, upstream: 'byNumber' },
          ],
          upstreams: [
            { name: 'byName', backends: [`[${HOST}]:${port}`], health: { type: 'http' } },
            {
              name: 'byNumber',
              backends: [`[fe80::1%${index}]:${port}`],
              health: { type: 'http' },
            },
          ],
          workers: 1,
          engine,
        };
        const file = join(t.testdir({}), 'lb4.json');
        writeFileSync(file, JSON.stringify(config));
        const lb4 = await namespace.run(() => startLb4(t, ['-c', file]));
        for (const listener of ['byName', 'byNumber']) {
          const { address } = await lb4.line(
            line => line.event === 'listening' && line['listener'] === listener,
          );
          const where = { kind: 'tcp', host: HOST, port: Number(/\d+$/.exec(String(address))?.[0]) } as const;
          const client = await namespace.run(() => connectClient(t, where));
          await client.send('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
          await client.untilEnded();
          client.halfClose();
          t.match(client.text, /^HTTP\/1\.1 200 /, listener);
        }
        await until('its checks are made', () => hosts.size === 2);
        t.same([...hosts].sort(), [`[fe80::1]:${port}`, 'x']);
        t.equal(await lb4.stop(), 0);
      },
    );
  }
});

async function createNamespace(t: Test): Promise<NetworkNamespace> {
  const namespace = await NetworkNamespace.create(`lb4-zones-${process.pid}`);
  t.teardown(() => namespace.delete());
  await namespace.ip('link', 'add', INTERFACE, 'type', 'veth', 'peer', 'name', 'other');
  await namespace.ip('link', 'set', INTERFACE, 'up');
  await namespace.ip('link', 'set', 'other', 'up');
  // Otherwise the address is not to be used for a second.
  await namespace.ip('addr', 'add', 'fe80::1/64', 'dev', INTERFACE, 'nodad');
  return namespace;
}

/** Collects the Host headers it is asked with. */
async function startHttpBackend(t: Test): Promise<{ readonly port: number; readonly hosts: Set<string> }> {
  const hosts = new Set<string>();
  const server = createServer((request, response) => {
    hosts.add(request.headers.host ?? '');
    response.end();
  });
  await new Promise<void>(resolve => server.listen(0, HOST, resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('not a TCP server');
  return { port: bound.port, hosts };
}
