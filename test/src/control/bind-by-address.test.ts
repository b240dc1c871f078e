/** Listeners configured by name. */
import t from 'tap';
import { bindByAddress } from '../../../src/control/bind-by-address.ts';
import { NameError } from '../../../src/names/names.ts';

const UNIX = { kind: 'unix', path: '/run/web.sock' } as const;
const tcp = (host: string) => ({ kind: 'tcp', host, port: 80 }) as const;

void t.test('a name stands for its first address; what is none stays as it is', async t => {
  const listeners = [
    { name: 'web', bind: [tcp('web.test'), tcp(''), UNIX] },
    { name: 'two', bind: [tcp('::1')] },
  ];
  const lookup = async (host: string) => ({
    addresses: host === 'web.test' ? ['10.0.0.1', '10.0.0.2'] : [host],
  });
  t.same((await bindByAddress({ listeners }, lookup)).listeners, [
    { name: 'web', bind: [tcp('10.0.0.1'), tcp(''), UNIX] },
    { name: 'two', bind: [tcp('::1')] },
  ]);
});

void t.test('one that cannot be resolved is an address that cannot be listened on', async t => {
  const lookup = () => Promise.reject(new NameError('web.test', 'ETIMEOUT'));
  await t.rejects(bindByAddress({ listeners: [{ bind: [tcp('web.test')] }] }, lookup), {
    code: 'LB4_LISTEN_FAILED',
    message:
      'cannot listen on web.test:80: name web.test cannot be resolved (ETIMEOUT, no name server answers)',
  });
});
