/** Which backends may not be added because lb4 itself listens there. */
import t from 'tap';
import { refusalOf } from '../../../src/cli/own-addresses.ts';
import { parseConfig } from '../../../src/config/source/parse.ts';
import type { Machine } from '../../../src/config/checks/this-machine.ts';
import { parseAddress, type Address } from '../../../src/support/address.ts';
import { backendView, snapshotWith, upstreamView } from '../../harness/fake-balancer.ts';

const MACHINE: Machine = {
  hasInterface: () => true,
  isOwn: address => address === '10.1.1.1' || address.startsWith('127.') || address === '::1',
  addressesOf: name => (name === 'localhost' ? ['127.0.0.1', '::1'] : []),
};

interface Scene {
  readonly binds: Record<string, { readonly bind: string; readonly to: string; readonly shown?: string }>;
  /** What the upstreams have now. */
  readonly members: Record<string, readonly string[]>;
  readonly admin?: readonly string[];
}

function refusal({ binds, members, admin = [] }: Scene, upstream: string, backend: string) {
  const parsed = parseConfig({
    listeners: Object.entries(binds).map(([name, { bind, to }]) => ({ name, bind, upstream: to })),
    upstreams: Object.keys(members).map(name => ({ name, backends: ['192.0.2.1:1'] })),
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  const listeners = Object.entries(binds).map(([name, { bind, shown = bind }]) => ({
    ...{ name, addresses: [shown], paused: false, pausedMs: undefined, engine: 'epoll', sessions: 0 },
  }));
  const upstreams = Object.entries(members).map(([name, all]) =>
    upstreamView(
      name,
      all.map(each => backendView(each)),
    ),
  );
  const addresses = admin.map((text): Address => {
    const address = parseAddress(text);
    if (!address.ok) throw new Error(text);
    return address.address;
  });
  const snapshot = () => snapshotWith({ listeners, upstreams });
  return refusalOf(upstream, backend, { config: parsed.config, snapshot, admin: addresses }, MACHINE);
}

void t.test("a backend that leads back to its listener is refused in the words of a file's check", t => {
  const one = (bind: string, backend: string, shown?: string) =>
    refusal(
      { binds: { a: { bind, to: 'app', ...(shown === undefined ? {} : { shown }) } }, members: { app: [] } },
      'app',
      backend,
    );
  t.equal(
    one('127.0.0.1:80', '127.0.0.1:80'),
    '127.0.0.1:80 leads back to listeners[0].bind (127.0.0.1:80): each session opens another one, until descriptors run out',
  );
  for (const [bind, backend, shown] of [
    [':80', '10.1.1.1:80'],
    [':80', 'localhost:80'],
    ['0.0.0.0:80', '127.9.9.9:80'],
    ['unix:/run/x.sock', 'unix:/run/../run/x.sock'],
    ['127.0.0.1:0', '127.0.0.1:4711', '127.0.0.1:4711'],
    [':0', '127.0.0.1:4711', '[::]:4711'],
  ] as const)
    t.match(one(bind, backend, shown), /leads back to/, `${bind} ${backend}`);
  for (const [bind, backend, shown] of [
    ['127.0.0.1:80', '127.0.0.2:80'],
    ['127.0.0.1:80', '127.0.0.1:81'],
    ['[::]:80', '127.0.0.1:80'],
    ['[::]:0', '127.0.0.1:4711', '[::]:4711'],
    [':80', '192.0.2.7:80'],
    [':80', 'no address'],
  ] as const)
    t.equal(one(bind, backend, shown), undefined, `${bind} ${backend}`);
  t.end();
});

void t.test('a way through another listener is refused only where it comes back', t => {
  const binds = { a: { bind: '127.0.0.1:80', to: 'a' }, b: { bind: '127.0.0.1:81', to: 'b' } };
  t.equal(refusal({ binds, members: { a: [], b: [] } }, 'a', '127.0.0.1:81'), undefined);
  // What was added while it runs counts, too.
  const members = { a: ['127.0.0.1:81', '192.0.2.1:9'], b: ['192.0.2.1:9'] };
  t.match(refusal({ binds, members }, 'b', '127.0.0.1:80'), /through other backends back/);
  t.end();
});

void t.test('the admin API is no backend', t => {
  const scene = {
    binds: { a: { bind: '127.0.0.1:80', to: 'app' } },
    members: { app: [] },
    admin: ['127.0.0.1:9000', 'unix:/run/lb4/default.sock'],
  };
  t.equal(
    refusal(scene, 'app', 'localhost:9000'),
    'localhost:9000 leads to the admin API of this lb4 (127.0.0.1:9000)',
  );
  t.match(refusal(scene, 'app', 'unix:/run/lb4/default.sock'), /leads to the admin API/);
  t.end();
});
