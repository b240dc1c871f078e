/** Names that only other sources of nsswitch.conf know, asked through a program. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { OtherSources } from '../../../src/names/other-sources.ts';
import { Names } from '../../../src/names/names.ts';
import { serversByName, startNameServer } from '../../harness/name-server.ts';
import { skipWithout } from '../../harness/programs.ts';
import { until } from '../../harness/until.ts';

/** A program in the place of getent. */
function program(t: Test, script: string): { path: string; folder: string } {
  const folder = t.testdir({});
  const path = join(folder, 'getent');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return { path, folder };
}

void t.test('getent is told which sources to ask', { skip: skipWithout('getent') }, async t => {
  t.match(await new OtherSources().lookup('localhost', ['files']), [/^(127\.0\.0\.1|::1)$/]);
  t.same(await new OtherSources().lookup('no-such-name.invalid', ['files']), []);
});

void t.test('what DNS does not know the other sources are asked for, if there are any', async t => {
  const server = await startNameServer(t, name =>
    name === 'known.test' ? { addresses: ['10.0.0.9'] } : { rcode: 'NXDOMAIN' },
  );
  const { path, folder } = program(
    t,
    `echo "$@" >> "$(dirname "$0")/asked"; echo '10.0.0.1 STREAM printer'; echo '10.0.0.1 DGRAM'; echo 'fd00::1 STREAM'`,
  );
  writeFileSync(join(folder, 'hosts'), '');
  writeFileSync(join(folder, 'resolv'), 'nameserver 10.0.0.53\n');
  writeFileSync(join(folder, 'nsswitch'), 'hosts: files dns\n');
  const names = new Names({
    hosts: join(folder, 'hosts'),
    resolvConf: join(folder, 'resolv'),
    nsswitch: join(folder, 'nsswitch'),
    createServer: serversByName({ '10.0.0.53': server.address }),
    getent: path,
    interfaces: () => ({}),
  });
  t.teardown(() => names.close());
  await t.rejects(names.lookup('printer.local'), { code: 'ENOTFOUND' });
  writeFileSync(join(folder, 'nsswitch'), 'hosts: files mdns4 [NOTFOUND=return] dns myhostname\n');
  t.same(await names.lookup('printer.local'), { addresses: ['10.0.0.1', 'fd00::1'] });
  t.match(await names.lookup('known.test'), { addresses: ['10.0.0.9'] });
  t.equal(readFileSync(join(folder, 'asked'), 'utf8'), '-s hosts:mdns4 myhostname ahosts printer.local\n');
});

void t.test('a program that fails or is not there knows nothing', async t => {
  t.same(await new OtherSources(program(t, 'echo 10.0.0.1; exit 2').path).lookup('a', ['ldap']), []);
  t.same(await new OtherSources('/no/such/program').lookup('a', ['ldap']), []);
});

void t.test('few run at a time, and a cancel ends them and what waits', async t => {
  const { path, folder } = program(t, 'echo $$ >> "$(dirname "$0")/began"; exec sleep 60');
  const sources = new OtherSources(path);
  const lookups = Array.from({ length: 8 }, () => sources.lookup('hangs.local', ['ldap']));
  const began = (): string[] => {
    try {
      return readFileSync(join(folder, 'began'), 'utf8').trim().split('\n');
    } catch {
      return [];
    }
  };
  await until('four have begun', () => began().length === 4);
  sources.cancel();
  t.same(
    await Promise.all(lookups),
    lookups.map(() => []),
  );
  t.equal(began().length, 4);
});
