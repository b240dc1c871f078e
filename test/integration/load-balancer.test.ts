/** The library with real sockets: what a session meets on its way, in one process. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createLoadBalancer, type LoadBalancer } from '../../src/index.ts';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import type { SessionRecord } from '../../src/model/session-record.ts';
import { formatAddress, parseAddress, type Address } from '../../src/support/address.ts';
import { refusingAddress, scripts, startBackend } from '../harness/backend.ts';
import { DATA_PLANE, ONE_THREAD } from '../harness/data-plane.ts';
import { connectClient, untilRefused } from '../harness/client.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

type ListenerInput = Partial<ConfigInput['listeners'][number]>;
type UpstreamInput = Partial<ConfigInput['upstreams'][number]>;

interface Options {
  readonly listener?: ListenerInput;
  readonly upstream?: UpstreamInput;
  readonly rest?: Omit<ConfigInput, 'listeners' | 'upstreams'>;
}

/** A running balancer over these backends; health checks off, so that only sessions connect. */
async function start(t: Test, backends: readonly (Address | string)[], options: Options = {}) {
  const balancer = createLoadBalancer({
    ...DATA_PLANE,
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app', ...options.listener }],
    upstreams: [
      {
        name: 'app',
        strategy: 'first',
        health: 'off',
        backends: backends.map(backend => (typeof backend === 'string' ? backend : formatAddress(backend))),
        ...options.upstream,
      },
    ],
    ...options.rest,
  });
  const records: SessionRecord[] = [];
  balancer.on('session:closed', record => records.push(record));
  t.teardown(() => balancer.stop());
  await balancer.start();
  return { balancer, records, address: addressOf(balancer) };
}

function addressOf(balancer: LoadBalancer): Address {
  const parsed = parseAddress(balancer.snapshot().listeners[0]?.addresses[0] ?? '');
  if (!parsed.ok) throw new Error(parsed.expected);
  return parsed.address;
}

/** How a client that cannot be served is told: it may hear of it before its own connect is reported. */
async function refusal(t: Test, address: Address): Promise<string> {
  try {
    return await (await connectClient(t, address)).untilEnded();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET') return 'reset';
    throw error;
  }
}

function liveCounts(balancer: LoadBalancer): number[] {
  return balancer.snapshot().upstreams.flatMap(({ backends }) => backends.map(({ sessions }) => sessions));
}

void t.test('a client talks to the backend and both ends are accounted for', async t => {
  const backend = await startBackend(t, scripts.echo);
  const { balancer, records, address } = await start(t, [backend.address]);
  const client = await connectClient(t, address);
  await client.send('hello');
  await client.untilText('hello');
  t.same(liveCounts(balancer), [1]);
  t.match(balancer.snapshot(), { state: 'running', engine: /^(node|epoll)$/, sessions: 1, sessionsEver: 1 });
  client.halfClose();
  t.equal(await client.untilEnded(), 'fin');
  await until('the session is closed', () => records.length === 1);
  t.match(records, [
    {
      listener: 'web',
      upstream: 'app',
      backend: formatAddress(backend.address),
      clientAddress: '127.0.0.1',
      attempts: 1,
      bytesFromClient: 5,
      bytesFromBackend: 5,
      by: 'client',
      phase: 'relay',
      reason: 'closed',
    },
  ]);
  t.same(liveCounts(balancer), [0]);
});

void t.test('a backend that speaks first is heard before the client says a word', async t => {
  const backend = await startBackend(t, scripts.greet('220 mail.example ESMTP\r\n'));
  const { address } = await start(t, [backend.address]);
  const client = await connectClient(t, address);
  await client.untilText('220 mail.example ESMTP\r\n');
});

void t.test('early bytes and an early FIN reach the backend that answers at the second attempt', async t => {
  const backend = await startBackend(t, scripts.answerAfterFin('answer'));
  const refusing = formatAddress(await refusingAddress());
  const { address, records } = await start(t, [refusing, backend.address]);
  const client = await connectClient(t, address);
  void client.send('question');
  client.halfClose();
  t.equal(await client.untilEnded(), 'fin');
  t.equal(client.text, 'answer');
  t.equal(backend.peers[0]?.text, 'question');
  await until('the session is closed', () => records.length === 1);
  t.match(records, [{ attempts: 2, reason: 'closed', bytesFromClient: 8, bytesFromBackend: 6 }]);
  const [{ tried, localAddress, sourceAddress, firstByteMs } = records[0]!] = records;
  t.same(tried, [refusing, formatAddress(backend.address)]);
  t.equal(localAddress, formatAddress(address));
  t.equal(sourceAddress, `127.0.0.1:${backend.peers[0]?.socket.remotePort}`);
  t.ok(firstByteMs !== undefined && firstByteMs >= 0 && firstByteMs < 5_000);
});

void t.test('when every backend refuses, the client is reset at once by default', async t => {
  const { address, records, balancer } = await start(t, [await refusingAddress(), await refusingAddress()]);
  t.equal(await refusal(t, address), 'reset');
  await until('the session is closed', () => records.length === 1);
  t.match(records, [{ attempts: 2, by: 'backend', phase: 'connect', reason: 'refused' }]);
  t.same(liveCounts(balancer), [0, 0]);
});

void t.test(
  '`close` ends with a FIN, `http503` with a response that a client with a large request still reads',
  async t => {
    for (const [whenUnavailable, expected] of [
      ['close', /^$/],
      ['http503', /^HTTP\/1\.1 503 .*No backend is available\.\n$/s],
    ] as const) {
      const { address } = await start(t, [await refusingAddress()], { listener: { whenUnavailable } });
      const client = await connectClient(t, address);
      void client.send(`POST / HTTP/1.1\r\nContent-Length: 20000\r\n\r\n${'x'.repeat(20_000)}`);
      t.equal(await client.untilEnded(), 'fin', whenUnavailable);
      t.match(client.text, expected);
    }
  },
);

void t.test('a listener at its maxSessions lets clients wait and serves them in order', async t => {
  const backend = await startBackend(t, scripts.echo);
  // Each worker keeps the order of its own clients.
  const { address, balancer } = await start(t, [backend.address], {
    listener: { limits: { maxSessions: 2 } },
    rest: ONE_THREAD,
  });
  const paused: string[] = [];
  balancer.on('listener:paused', ({ reason }) => paused.push(reason));
  const first = await connectClient(t, address);
  const second = await connectClient(t, address);
  await until('two sessions run', () => balancer.snapshot().sessions === 2);
  const waiting = [await connectClient(t, address), await connectClient(t, address)] as const;
  await waiting[0].send('third');
  await waiting[1].send('fourth');
  await first.send('one');
  await first.untilText('one');
  t.same([waiting[0].text, waiting[1].text], ['', ''], 'those who wait are neither served nor refused');
  t.equal(balancer.snapshot().sessions, 2);
  await until('the pause is told', () => paused.length > 0);
  t.same(paused, ['listenerLimit']);

  first.reset();
  await waiting[0].untilText('third');
  t.equal(waiting[1].text, '');
  second.reset();
  await waiting[1].untilText('fourth');
});

void t.test('the instance’s maxSessions holds all listeners', async t => {
  const backend = await startBackend(t, scripts.echo);
  const { address, balancer } = await start(t, [backend.address], { rest: { limits: { maxSessions: 1 } } });
  const first = await connectClient(t, address);
  await until('one session runs', () => balancer.snapshot().sessions === 1);
  await until('the listener is paused', () => balancer.snapshot().listeners[0]?.paused === true);
  const second = await connectClient(t, address);
  await second.send('second');
  first.halfClose();
  await second.untilText('second');
});

void t.test(
  'a backend at its maxSessions gets no more; with no other and no queue, the client is refused',
  async t => {
    const backend = await startBackend(t, scripts.echo);
    const { address, records } = await start(t, [], {
      upstream: {
        backends: [{ address: formatAddress(backend.address), maxSessions: 1 }],
        queue: { max: 0 },
      },
    });
    const first = await connectClient(t, address);
    await first.send('x');
    await first.untilText('x');
    t.equal(await refusal(t, address), 'reset');
    await until('the session is closed', () => records.length === 1);
    t.match(records, [{ by: 'balancer', phase: 'connect', reason: 'full', attempts: 0 }]);
  },
);

void t.test('warm connections serve sessions, greeting included, and each only one', async t => {
  const backend = await startBackend(t, peer => {
    void peer.send('hello ');
    scripts.echo(peer);
  });
  const { address, balancer, records } = await start(t, [backend.address], {
    upstream: { pool: { warm: 2 } },
  });
  const pool = () => balancer.snapshot().upstreams[0]?.backends[0]?.pool;
  for (let i = 1; i <= 3; i++) {
    await until('two connections are parked', () => pool()?.parked === 2);
    const client = await connectClient(t, address);
    await client.send(`client ${i}`);
    await client.untilText(`hello client ${i}`);
    client.halfClose();
    await client.untilEnded();
    t.equal(client.text, `hello client ${i}`, 'exactly its own bytes');
  }
  await until('three sessions are closed', () => records.length === 3);
  t.match(records, [{ warm: true }, { warm: true }, { warm: true }]);
  await until('three sessions had a spare one', () => pool()?.hits === 3);
  t.equal(pool()?.misses, 0);
});

void t.test('draining lets sessions end by themselves and takes no new ones', async t => {
  const backend = await startBackend(t, scripts.echo);
  const { address, balancer, records } = await start(t, [backend.address]);
  const client = await connectClient(t, address);
  await client.send('before');
  await client.untilText('before');
  const draining = new Promise(resolve => balancer.on('drain:started', resolve));
  const drained = balancer.drain();
  await draining;
  await untilRefused(t, address);
  await client.send(' during');
  await client.untilText('before during');
  client.halfClose();
  await drained;
  t.equal(balancer.state, 'stopped');
  t.match(records.at(-1), { by: 'client', reason: 'closed', bytesFromClient: 'before during'.length });
});

void t.test('a session that outlasts the drain is reset on both sides', async t => {
  const backend = await startBackend(t);
  const { address, balancer, records } = await start(t, [backend.address]);
  const client = await connectClient(t, address);
  const peer = await backend.next();
  await balancer.drain(50);
  t.same([await client.untilEnded(), await peer.untilEnded()], ['reset', 'reset']);
  t.match(records, [{ by: 'balancer', phase: 'drain', reason: 'drainTimeout' }]);
});

void t.test('unix sockets serve as listeners and as backends', async t => {
  const folder = temporaryFolder(t);
  const backend = await startBackend(t, scripts.echo, { kind: 'unix', path: join(folder, 'backend.sock') });
  const path = join(folder, 'front.sock');
  const { records } = await start(t, [backend.address], { listener: { bind: [`unix:${path}`] } });
  const client = await connectClient(t, { kind: 'unix', path });
  await client.send('over a path');
  await client.untilText('over a path');
  client.halfClose();
  t.equal(await client.untilEnded(), 'fin');
  await until('the session is closed', () => records.length === 1);
  t.match(records, [{ clientAddress: '', reason: 'closed' }]);
});

void t.test(
  'a backend named by host name is resolved; one that does not resolve is down, not fatal',
  async t => {
    const backend = await startBackend(t, scripts.echo);
    const port = backend.address.kind === 'tcp' ? backend.address.port : 0;
    const down: string[] = [];
    const balancer = createLoadBalancer({
      ...DATA_PLANE,
      listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
      upstreams: [
        { name: 'app', health: 'off', backends: [`localhost:${port}`, 'does-not-exist.invalid:80'] },
      ],
    });
    t.teardown(() => balancer.stop());
    balancer.on('backend:down', ({ backend, reason }) => down.push(`${backend} ${reason}`));
    await balancer.start();
    t.match(down, [/^does-not-exist\.invalid:80 name does-not-exist\.invalid cannot be resolved/]);
    t.match(balancer.snapshot().upstreams[0]?.backends, [{ state: 'up' }, { state: 'unresolved' }]);
    const client = await connectClient(t, addressOf(balancer));
    await client.send('named');
    await client.untilText('named');
  },
);

void t.test(
  'a backend that stops accepting goes down after three failed checks and comes back by itself',
  async t => {
    const flips: string[] = [];
    const refusing = await refusingAddress();
    const backend = formatAddress(refusing);
    const balancer = createLoadBalancer({
      ...DATA_PLANE,
      listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
      upstreams: [{ name: 'app', backends: [backend], health: { interval: 20 } }],
    });
    t.teardown(() => balancer.stop());
    balancer.on('backend:down', ({ reason }) => flips.push(`down: ${reason}`));
    balancer.on('backend:up', ({ reason }) => flips.push(`up: ${reason}`));
    await balancer.start();
    await until('it is down', () => flips.length === 1);
    t.match(flips, [/^down: 3 health checks failed in a row, the last with: refused \(ECONNREFUSED\)/]);
    await startBackend(t, scripts.echo, refusing);
    await until('it is up', () => flips.length === 2);
    // Workers hear of it a moment later.
    for (;;) {
      // A reset can come before Node has told that the connect succeeded.
      const client = await connectClient(t, addressOf(balancer)).catch(() => undefined);
      if (client === undefined) continue;
      void client.send('back');
      await until('there is an answer', () => client.text === 'back' || client.ending !== undefined);
      if (client.text === 'back') break;
    }
  },
);

void t.test('starting on an address in use fails with a clear error and leaves nothing open', async t => {
  const taken = await startBackend(t);
  const bind = formatAddress(taken.address);
  const balancer = createLoadBalancer({
    ...DATA_PLANE,
    listeners: [{ name: 'web', bind: ['127.0.0.1:0', bind], upstream: 'app' }],
    upstreams: [{ name: 'app', backends: ['127.0.0.1:1'] }],
  });
  await t.rejects(balancer.start(), {
    code: 'LB4_LISTEN_FAILED',
    message: new RegExp(`cannot listen on ${bind}`),
  });
  t.equal(balancer.state, 'stopped');
  t.same(balancer.snapshot().listeners, []);
  await t.rejects(balancer.start(), { code: 'LB4_WRONG_STATE' });
});

void t.test('a configuration with several problems is refused with all of them', async t => {
  t.throws(
    () =>
      createLoadBalancer({
        ...DATA_PLANE,
        listeners: [{ name: 'web', bind: ['127.0.0.1'], upstream: 'nope' }],
        upstreams: [{ name: 'app', backends: [], strategy: 'leastcon' }],
      }),
    { code: 'LB4_CONFIG_INVALID', message: /listeners\[0\]\.bind.*\n.*upstreams\[0\]\.strategy.*leastconn/s },
  );
});

void t.test('a strategy module that cannot be loaded stops the start', async t => {
  const balancer = createLoadBalancer(
    {
      listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
      upstreams: [{ name: 'app', backends: ['127.0.0.1:1'], strategy: './missing.js' }],
    },
    { baseDir: tmpdir() },
  );
  await t.rejects(balancer.start(), {
    code: 'LB4_STRATEGY_INVALID',
    message: /^upstreams\.app\.strategy: .*missing\.js/,
  });
});

void t.test('stopping resets what runs; draining or starting again is a mistake that is named', async t => {
  const backend = await startBackend(t);
  const { address, balancer, records } = await start(t, [backend.address]);
  const client = await connectClient(t, address);
  await backend.next();
  await balancer.stop();
  t.equal(await client.untilEnded(), 'reset');
  t.match(records, [{ by: 'balancer', phase: 'drain', reason: 'stopped' }]);
  await balancer.stop();
  await t.rejects(balancer.drain(), { code: 'LB4_WRONG_STATE' });
});
