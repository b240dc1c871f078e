/** Addresses from outside: however many a name has, a session does not try them all. */
import { join } from 'node:path';
import t from 'tap';
import { Names } from '../../../src/names/names.ts';

const MANY = Array.from({ length: 1_000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);

void t.test('a name has 64 addresses at most, from the hosts file and from DNS', async t => {
  const folder = t.testdir({
    hosts: MANY.map(address => `${address} many.local\n`).join(''),
    resolv: 'nameserver 192.0.2.53\n',
    nsswitch: 'hosts: files dns\n',
  });
  const names = new Names({
    hosts: join(folder, 'hosts'),
    resolvConf: join(folder, 'resolv'),
    nsswitch: join(folder, 'nsswitch'),
    interfaces: () => ({}),
    createServer: () => ({
      resolve4: () => Promise.resolve([...MANY, ...MANY]),
      resolve6: () => Promise.reject(Object.assign(new Error('none'), { code: 'ENODATA' })),
      cancel: () => undefined,
    }),
  });
  t.teardown(() => names.close());
  for (const host of ['many.local', 'many.example']) {
    const { addresses } = await names.lookup(host);
    t.equal(new Set(addresses).size, 64, host);
    t.equal(addresses.length, 64, host);
  }
});
