/** Sockets that one host hands over to another, whatever the number of their data planes. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { HostSockets } from '../../../src/host/sockets.ts';
import { duplicate } from '../../../src/linux/listening-sockets.ts';
import { BY_MPTCP, type ListenerPlan } from '../../../src/model/listener-plan.ts';
import { optionsOf } from '../../harness/kernel-sockets.ts';
import type { HandedSockets } from '../../../src/support/socket.ts';
import { listenerAt } from '../../harness/plans.ts';
import { libc, withoutLibc } from '../../harness/real-libc.ts';
import { temporaryFolder } from '../../harness/temporary-folder.ts';

async function host(
  t: Test,
  count: number,
  listeners: readonly ListenerPlan[],
  handed?: readonly HandedSockets[],
) {
  const sockets = new HostSockets(libc(), count, { handed });
  await sockets.bind(listeners);
  t.teardown(() => sockets.close(sockets.keys));
  return sockets;
}

/** As another process gets them. */
const inherited = (handed: readonly HandedSockets[]): HandedSockets[] =>
  handed.map(each => ({ ...each, fds: each.fds.map(fd => duplicate(libc(), fd)) }));

/** The descriptors of each data plane. */
const fdsOf = (sockets: HostSockets, count: number, listeners: readonly ListenerPlan[]): number[][] =>
  Array.from({ length: count }, (_, index) =>
    sockets
      .inPlan({ limits: { maxSessions: Infinity }, slot: 0, listeners }, index)
      .listeners.flatMap(({ bind }) => bind.map(({ where }) => (where.kind === 'listening' ? where.fd : -1))),
  );

void t.test(
  'all sockets of a predecessor are accepted from, by as many data planes as there are',
  { skip: withoutLibc },
  async t => {
    const listeners = [listenerAt('web', '127.0.0.1:0')];
    const first = await host(t, 3, listeners);
    for (const [count, shares] of [
      [1, [[0, 1, 2]]],
      [2, [[0, 2], [1]]],
      [3, [[0], [1], [2]]],
      [5, [[0], [1], [2], [0], [1]]],
    ] as const) {
      const handed = inherited(first.toHandOver(listeners));
      const next = await host(t, count, listeners, handed);
      const fds = handed[0]?.fds ?? [];
      t.equal(fds.length, 3);
      t.same(
        fdsOf(next, count, listeners),
        shares.map(share => share.map(i => fds[i])),
        `${count} data planes`,
      );
      t.equal(next.addressOf('127.0.0.1:0'), first.addressOf('127.0.0.1:0'));
      t.same(next.takenOver(), ['127.0.0.1:0']);
    }
  },
);

void t.test('a socket file changes hands when the predecessor lets go', { skip: withoutLibc }, async t => {
  const path = join(temporaryFolder(t), 'web.sock');
  const listeners = [listenerAt('web', `unix:${path}`)];
  const first = await host(t, 4, listeners);
  const [handed] = first.toHandOver(listeners);
  t.equal(handed?.fds.length, 1, 'workers share one socket');
  const failed = await host(t, 1, listeners, inherited(first.toHandOver(listeners)));
  failed.close(failed.keys);
  t.ok(existsSync(path), 'a newcomer that fails leaves the file alone');
  const next = await host(t, 2, listeners, inherited(first.toHandOver(listeners)));
  first.handedOver(next.takenOver());
  next.own();
  first.close(first.keys);
  t.ok(existsSync(path), 'the predecessor leaves it alone');
  next.close(next.keys);
  t.notOk(existsSync(path));
});

void t.test("what the newcomer does not want stays the predecessor's", { skip: withoutLibc }, async t => {
  const both = [listenerAt('web', '127.0.0.1:0'), listenerAt('mail', '127.0.0.2:0')];
  const first = await host(t, 2, both);
  const next = await host(t, 2, both.slice(0, 1), inherited(first.toHandOver(both)));
  t.same(next.takenOver(), ['127.0.0.1:0']);
  t.same(next.keys, ['127.0.0.1:0']);
});

void t.test('a listener of another key takes a socket by its address', { skip: withoutLibc }, async t => {
  const first = await host(t, 1, [listenerAt('web', ':0')]);
  const handed = inherited(first.toHandOver([listenerAt('web', ':0')]));
  const port = Number(/\d+$/.exec(first.addressOf(':0'))?.[0]);
  const next = await host(t, 1, [listenerAt('web', `:${port}`)], handed);
  t.same(next.takenOver(), [':0'], 'by the key that the predecessor knows');
  t.equal(next.addressOf(`:${port}`), first.addressOf(':0'));
});

void t.test(
  "another address at the predecessor's port can be bound beside it",
  { skip: withoutLibc },
  async t => {
    const first = await host(t, 2, [listenerAt('web', '127.0.0.1:0')]);
    const port = Number(/\d+$/.exec(first.addressOf('127.0.0.1:0'))?.[0]);
    const handed = inherited(first.toHandOver([listenerAt('web', '127.0.0.1:0')]));
    const next = await host(t, 2, [listenerAt('web', `:${port}`)], handed);
    t.same(next.takenOver(), []);
    t.equal(next.addressOf(`:${port}`), `[::]:${port}`);
  },
);

void t.test(
  'a socket of TCP is not taken over as one of MPTCP: another is bound beside it',
  { skip: withoutLibc },
  async t => {
    const plain = listenerAt('web', '127.0.0.1:0');
    const first = await host(t, 1, [plain]);
    const [key = ''] = first.keys;
    const address = first.addressOf(key);
    const wanted = listenerAt('web', address);
    const [point] = wanted.bind;
    if (point === undefined) throw new Error('it has a point');
    const mptcp: ListenerPlan = {
      ...wanted,
      sockets: { early: { mptcp: true } },
      bind: [{ ...point, key: `${address}${BY_MPTCP}` }],
    };
    const next = await host(t, 1, [mptcp], inherited(first.toHandOver([plain])));
    t.equal(next.addressOf(`${address}${BY_MPTCP}`), address);
    const [[fd = -1] = []] = fdsOf(next, 1, [mptcp]);
    t.equal(optionsOf({ fd }).protocol, 'MPTCP');
    t.same(next.takenOver(), []);
  },
);
