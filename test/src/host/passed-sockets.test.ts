/** Which listener gets which passed socket, over real sockets. */
import { openSync, closeSync } from 'node:fs';
import t, { type Test } from 'tap';
import { PassedSockets } from '../../../src/host/passed-sockets.ts';
import { AF_INET, SOCK_DGRAM, SOCK_STREAM } from '../../../src/linux/abi.ts';
import { bindListeningSockets } from '../../../src/linux/listening-sockets.ts';
import { formatAddress, type Address } from '../../../src/support/address.ts';
import { listenAddress } from '../../harness/listening-address.ts';
import { listenerAt } from '../../harness/plans.ts';
import { libc, withoutLibc } from '../../harness/real-libc.ts';
import { temporaryFolder } from '../../harness/temporary-folder.ts';

async function listening(t: Test, text: string): Promise<{ fd: number; port: number; address: Address }> {
  const { address, fds } = await bindListeningSockets(libc(), listenAddress(text), 1);
  const [fd = -1] = fds;
  t.teardown(() => libc().close(fd));
  return { fd, address, port: address.kind === 'tcp' ? address.port : 0 };
}

/** The addresses of the sockets for these keys. */
function taken(t: Test, passed: PassedSockets, keys: readonly string[]): (string | undefined)[] {
  return keys.map(key => {
    const sockets = passed.take(key, 1, {});
    for (const fd of sockets?.fds ?? []) t.teardown(() => libc().close(fd));
    return sockets && formatAddress(sockets.address);
  });
}

void t.test(
  'a socket stands for the address that it has, of whichever listener',
  { skip: withoutLibc },
  async t => {
    const folder = temporaryFolder(t);
    const v4 = await listening(t, '127.0.0.1:0');
    const v6 = await listening(t, '[::1]:0');
    const file = await listening(t, `unix:${folder}/web.sock`);
    const name = await listening(t, `unix:@lb4-passed-${process.pid}`);
    const all = [v4, v6, file, name];
    const passed = new PassedSockets(
      libc(),
      all.map(({ fd }) => ({ fd, name: 'lb4.socket' })),
    );
    const keys = all.map(({ address }) => formatAddress(address));
    const [a = '', b = '', c = '', d = ''] = keys;
    passed.assign([listenerAt('web', c, a, '127.0.0.1:1'), listenerAt('mail', d, b)]);
    t.same(taken(t, passed, [a, b, c, d, '127.0.0.1:1']), [a, b, c, d, undefined]);
  },
);

void t.test(
  'every local address is one socket for both kinds of IP, and not another one',
  { skip: withoutLibc },
  async t => {
    const both = await listening(t, ':0');
    const v4 = await listening(t, '0.0.0.0:0');
    const passed = new PassedSockets(libc(), [
      { fd: both.fd, name: '' },
      { fd: v4.fd, name: '' },
    ]);
    passed.assign([listenerAt('web', `[::]:${both.port}`, `:${both.port}`, `0.0.0.0:${v4.port}`)]);
    t.same(taken(t, passed, [`[::]:${both.port}`, `:${both.port}`]), [undefined, `[::]:${both.port}`]);
    t.same(taken(t, passed, [`0.0.0.0:${v4.port}`]), [`0.0.0.0:${v4.port}`]);
  },
);

void t.test(
  'one with the name of a listener stands for its first address that is left',
  { skip: withoutLibc },
  async t => {
    const [one, two, third] = [
      await listening(t, '127.0.0.1:0'),
      await listening(t, '127.0.0.1:0'),
      await listening(t, '127.0.0.1:0'),
    ];
    const passed = new PassedSockets(libc(), [
      { fd: one.fd, name: 'mail' },
      { fd: two.fd, name: 'web' },
      { fd: third.fd, name: 'web' },
    ]);
    const own = formatAddress(third.address);
    passed.assign([listenerAt('mail', '127.0.0.1:25'), listenerAt('web', own, '127.0.0.1:80')]);
    t.same(taken(t, passed, ['127.0.0.1:25', own, '127.0.0.1:80']), [
      formatAddress(one.address),
      own,
      formatAddress(two.address),
    ]);
  },
);

void t.test(
  'a socket that no listener wants refuses the start, and the words say which',
  { skip: withoutLibc },
  async t => {
    const { fd, address } = await listening(t, '127.0.0.1:0');
    const at = formatAddress(address);
    for (const [name, plans, words] of [
      [
        'admin',
        [listenerAt('web', '127.0.0.1:80')],
        `${at}: no listener is at this address, and none is named admin`,
      ],
      ['', [listenerAt('web', '127.0.0.1:80')], `${at}: no listener is at this address`],
    ] as const) {
      const called = name === '' ? '' : ` (${name})`;
      t.throws(() => new PassedSockets(libc(), [{ fd, name }]).assign(plans), {
        code: 'LB4_LISTEN_FAILED',
        message: `cannot use the socket that was passed as descriptor ${fd}${called}: ${words}`,
      });
    }
    const more = await listening(t, '127.0.0.1:0');
    const twice = new PassedSockets(libc(), [
      { fd, name: 'web' },
      { fd: more.fd, name: 'web' },
    ]);
    t.throws(
      () => twice.assign([listenerAt('web', '127.0.0.1:80')]),
      /listener web has an own socket for each/,
    );
  },
);

void t.test('what is no listening stream socket is refused in plain words', { skip: withoutLibc }, t => {
  const connected = libc().socket(AF_INET, SOCK_STREAM, 0);
  const file = openSync('/dev/null', 'r');
  t.teardown(() => {
    libc().close(connected);
    closeSync(file);
  });
  const datagram = libc().socket(AF_INET, SOCK_DGRAM, 0);
  t.teardown(() => libc().close(datagram));
  for (const [fd, words] of [
    [file, /it is no socket$/],
    [datagram, /it is no stream socket/],
    [connected, /it does not listen/],
    [9_999, /it is no socket$/],
  ] as const) {
    t.throws(
      () => new PassedSockets(libc(), [{ fd, name: 'web' }]).assign([listenerAt('web', '127.0.0.1:80')]),
      words,
    );
  }
  t.end();
});

void t.test(
  'a listener that is taken out and comes back gets the same socket again',
  { skip: withoutLibc },
  async t => {
    const { fd, address } = await listening(t, '127.0.0.1:0');
    const key = formatAddress(address);
    const passed = new PassedSockets(libc(), [{ fd, name: '' }]);
    passed.assign([listenerAt('web', key)]);
    const [first] = passed.take(key, 2, {})?.fds ?? [];
    t.type(first, 'number');
    libc().close(first ?? -1);
    passed.assign([listenerAt('other', '127.0.0.1:1')]);
    t.same(taken(t, passed, [key]), [key]);
  },
);
