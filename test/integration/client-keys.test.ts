/** `hashBy` and `sticky.by`: clients that belong together get the same backend, whichever worker serves them. */
import t, { type Test } from 'tap';
import { encodeProxyHeader } from '../../src/codec/proxy-protocol/index.ts';
import { createLoadBalancer, type ConfigInput, type LoadBalancer } from '../../src/index.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress } from '../../src/support/address.ts';
import { startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { DATA_PLANE, OWN_THREAD } from '../harness/data-plane.ts';
import { addressOf } from '../harness/listening-address.ts';

const PLACES = {
  'two workers': { ...DATA_PLANE, workers: loadLibc().ok ? 2 : 0 },
  ...OWN_THREAD,
} as const;
const NAMES = ['a', 'b', 'c', 'd'];

interface From {
  readonly address: string;
  readonly tlv?: string;
}

for (const [place, dataPlane] of Object.entries(PLACES)) {
  const start = async (t: Test, upstream: Partial<ConfigInput['upstreams'][number]>) => {
    const backends: string[] = [];
    for (const name of NAMES)
      backends.push(formatAddress((await startBackend(t, peer => peer.socket.end(name))).address));
    const balancer = createLoadBalancer({
      ...dataPlane,
      listeners: [
        { name: 'web', bind: '127.0.0.1:0', upstream: 'app', acceptProxy: { from: ['127.0.0.0/8'] } },
      ],
      upstreams: [{ name: 'app', health: 'off', backends, ...upstream }],
    });
    t.teardown(() => balancer.stop());
    await balancer.start();
    return balancer;
  };
  const servedBy = async (t: Test, balancer: LoadBalancer, { address, tlv }: From): Promise<string> => {
    const client = await connectClient(t, addressOf(balancer));
    await client.send(
      encodeProxyHeader({
        version: 2,
        command: 'proxy',
        addresses: {
          family: address.includes(':') ? 'ipv6' : 'ipv4',
          transport: 'stream',
          source: { address, port: 1 },
          destination: { address: address.includes(':') ? '2001:db8::1' : '198.51.100.1', port: 443 },
        },
        ...(tlv === undefined ? {} : { tlvs: [{ type: 0xe4, value: Buffer.from(tlv) }] }),
      }),
    );
    await client.untilEnded();
    return client.text;
  };
  /** Of clients that each give: how many different backends each group has had, and all together. */
  const spread = async (t: Test, balancer: LoadBalancer, groups: readonly (readonly From[])[]) => {
    const all = new Set<string>();
    const most: number[] = [];
    for (const group of groups) {
      const own = new Set<string>();
      for (const from of group) own.add(await servedBy(t, balancer, from));
      most.push(own.size);
      for (const name of own) all.add(name);
    }
    return { most: Math.max(...most), all: all.size };
  };
  const range = <T>(count: number, of: (i: number) => T): T[] =>
    Array.from({ length: count }, (_, i) => of(i));
  const networks = [
    ...range(6, net => range(4, host => ({ address: `192.0.${net}.${host + 1}` }))),
    ...range(6, net => range(4, host => ({ address: `2001:db8:${net}:1:${host}::1` }))),
  ];
  const tenants = range(12, tenant =>
    range(4, i => ({ address: `192.0.${i}.${tenant + 1}`, tlv: `tenant ${tenant}` })),
  );

  void t.test(`over ${place}`, t => {
    for (const [what, upstream] of [
      ['iphash', { strategy: 'iphash', hashBy: 'clientPrefix' }],
      ['stickiness', { strategy: 'roundrobin', sticky: { by: 'clientPrefix:24/64' } }],
    ] as const)
      void t.test(`${what} by network`, async t => {
        const { most, all } = await spread(t, await start(t, upstream), networks);
        t.equal(most, 1, 'the clients of a network are together');
        t.ok(all > 1, `and networks are spread: over ${all}`);
      });
    for (const [what, upstream] of [
      ['iphash', { strategy: 'iphash', hashBy: 'proxyTlv:0xE4' }],
      ['stickiness', { strategy: 'roundrobin', sticky: { by: 'proxyTlv:228' } }],
    ] as const)
      void t.test(`${what} by what a proxy in front says`, async t => {
        const balancer = await start(t, upstream);
        const { most, all } = await spread(t, balancer, tenants);
        t.equal(most, 1);
        t.ok(all > 1, `over ${all}`);
        const without = range(12, i => range(3, () => ({ address: `192.0.2.${i + 1}` })));
        t.equal((await spread(t, balancer, without)).most, 1, 'without it the address decides');
      });
    t.end();
  });
}
