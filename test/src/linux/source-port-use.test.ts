/** Source ports in use, as the kernel's table has them. */
import t from 'tap';

import { sourcePortUse } from '../../../src/linux/source-port-use.ts';
import type { TcpAddress } from '../../../src/support/address.ts';
import { startBackend } from '../../harness/backend.ts';
import { connectClient } from '../../harness/client.ts';
import { libc, withoutLibc } from '../../harness/real-libc.ts';
import type { Peer } from '../../harness/peer.ts';
import { until } from '../../harness/until.ts';
import '../../harness/run-once.ts';

for (const [family, host, sources] of [
  ['IPv4', '127.0.0.1', ['127.0.0.31', '127.0.0.32']],
  ['IPv6', '::1', ['::1']],
] as const)
  void t.test(
    `${family}: connections are counted for each pair, those that are over included`,
    { skip: withoutLibc },
    async t => {
      const backend = await startBackend(t, undefined, { kind: 'tcp', host, port: 0 });
      const other = await startBackend(t, undefined, { kind: 'tcp', host, port: 0 });
      const { port } = backend.address as TcpAddress;
      for (const source of sources)
        for (let i = 0; i < 40; i++) await connectClient(t, backend.address, source);
      await connectClient(t, other.address, sources[0]);
      // This end is the first to finish, so its port rests.
      const [first] = sources;
      const ended = await connectClient(t, backend.address, first);
      ended.halfClose();
      const ownPort = ended.socket.localPort;
      const itsPeer = (): Peer | undefined =>
        backend.peers.find(({ socket }) => socket.remotePort === ownPort && socket.remoteAddress === first);
      await until('its peer is accepted', () => itsPeer()?.ending === 'fin');
      itsPeer()?.halfClose();
      await until('both ends are closed', () => ended.socket.closed);
      // Other programs of the machine may connect to the same port of other addresses.
      const useOf = async (ports: readonly number[]) =>
        (await sourcePortUse(libc(), ports))?.filter(
          ({ from, to }) => to === host && sources.some(source => source === from),
        );
      const use = await useOf([port]);
      t.same(
        [...(use ?? [])].sort((a, b) => a.from.localeCompare(b.from)),
        sources.map(from => ({
          from,
          to: host,
          port,
          used: from === first ? 41 : 40,
          resting: from === first ? 1 : 0,
        })),
      );
      const both = await useOf([port, (other.address as TcpAddress).port]);
      t.equal(
        both?.reduce((sum, { used }) => sum + used, 0),
        sources.length * 40 + 2,
        'of several ports at once',
      );
    },
  );

void t.test('where the system does not report them', { skip: withoutLibc }, async t => {
  t.equal(await sourcePortUse({ ...libc(), socket: () => -1 }, [80]), undefined);
  t.equal(await sourcePortUse({ ...libc(), send: () => -1 }, [80]), undefined);
  t.equal(await sourcePortUse({ ...libc(), recv: () => -1 }, [80]), undefined);
});
