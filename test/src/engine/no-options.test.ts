/** Options of sockets that are not asked for cost no call: what each engine asks the kernel for a connection. */
import t from 'tap';

import { createNodeEngine } from '../../../src/engine/node/node-engine.ts';
import type { Libc } from '../../../src/linux/libc.ts';
import { TCP_NODELAY } from '../../../src/linux/abi.ts';
import { anywhere, connectTo, listen, STOPPED_CLOCK } from '../../contracts/engine/fixture.ts';
import { startBackend } from '../../harness/backend.ts';
import { connectClient } from '../../harness/client.ts';
import { newEpollEngine } from '../../harness/epoll-engine.ts';
import { libc, withoutLibc } from '../../harness/real-libc.ts';
import { until } from '../../harness/until.ts';
import '../../harness/run-once.ts';

/** The C library, and the calls about options and names of sockets that went through it. */
function counted(): { readonly libc: Libc; readonly calls: string[] } {
  const calls: string[] = [];
  const noted =
    <Args extends unknown[]>(name: string, call: (...args: Args) => number) =>
    (...args: Args): number => {
      calls.push(name === 'setsockopt' ? `setsockopt ${String(args[2])}` : name);
      return call(...args);
    };
  const real = libc();
  return {
    calls,
    libc: {
      ...real,
      setsockopt: noted<Parameters<Libc['setsockopt']>>('setsockopt', (...args) => real.setsockopt(...args)),
      getsockopt: noted<Parameters<Libc['getsockopt']>>('getsockopt', (...args) => real.getsockopt(...args)),
      bind: noted<Parameters<Libc['bind']>>('bind', (...args) => real.bind(...args)),
      socket: noted<Parameters<Libc['socket']>>('socket', (...args) => real.socket(...args)),
      connect: noted<Parameters<Libc['connect']>>('connect', (...args) => real.connect(...args)),
    },
  };
}

void t.test('epoll engine: a connection to a backend takes two calls', { skip: withoutLibc }, async t => {
  const { libc, calls } = counted();
  const engine = newEpollEngine({ libc });
  const { address } = await startBackend(t, undefined, anywhere(t, 'IPv4'));
  const result = await connectTo(engine, address);
  t.same(calls, ['socket', 'connect']);
  if (result.ok) result.connection.reset();
});

void t.test(
  'node engine: a connection to a backend takes none beside those of Node',
  { skip: withoutLibc },
  async t => {
    const { libc, calls } = counted();
    const engine = createNodeEngine({ clock: STOPPED_CLOCK, libc });
    const { address } = await startBackend(t, undefined, anywhere(t, 'IPv4'));
    const result = await connectTo(engine, address);
    t.same(calls, []);
    if (result.ok) result.connection.reset();
  },
);

void t.test(
  'epoll engine: what is set for a client is set on the listening socket alone',
  { skip: withoutLibc },
  async t => {
    const { libc, calls } = counted();
    const engine = newEpollEngine({ libc });
    const { listener, clients } = await listen(t, engine);
    t.ok(calls.includes(`setsockopt ${TCP_NODELAY}`));
    const options = (): string[] => calls.filter(call => call.startsWith('setsockopt'));
    const before = options().length;
    await connectClient(t, listener.address);
    await until('it is let in', () => clients.length === 1);
    t.equal(options().length, before);
  },
);
