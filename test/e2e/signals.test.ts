/** Signals: drain, the second one, the immediate one. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { askAdmin } from '../harness/admin.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient, untilRefused } from '../harness/client.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { ended } from '../harness/programs.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

async function withSession(t: Parameters<typeof startBackend>[0], args: string[] = []) {
  const backend = await startBackend(t, scripts.echo);
  const lb4 = await startLb4(t, ['-b', formatAddress(backend.address), '--access-log', ...args]);
  const address: Address = { kind: 'tcp', host: lb4.host, port: lb4.port };
  const client = await connectClient(t, address);
  await client.send('hello');
  await client.untilText('hello');
  return { lb4, address, client };
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  void t.test(
    `${signal} drains: no new clients, the session lives until it ends by itself, exit 0`,
    async t => {
      const { lb4, address, client } = await withSession(t);
      lb4.child.kill(signal);
      await lb4.line(({ event }) => event === 'drainStarted');
      await untilRefused(t, address);
      await client.send(' still here');
      await client.untilText('hello still here');
      client.halfClose();
      t.equal(await client.untilEnded(), 'fin');
      t.same(await ended(lb4.child), { code: 0, signal: null });
      t.match(await lb4.line(({ event, bytesFromClient }) => event === 'session' && bytesFromClient !== 0), {
        reason: 'closed',
        by: 'client',
        bytesFromClient: 16,
      });
    },
  );
}

void t.test('a session that outlasts --drain-timeout is reset, and the log says so', async t => {
  const { lb4, client } = await withSession(t, ['--drain-timeout', '100ms']);
  t.equal(await lb4.stop(), 0);
  t.equal(await client.untilEnded(), 'reset');
  t.match(await lb4.line(({ event }) => event === 'session'), {
    by: 'balancer',
    phase: 'drain',
    reason: 'drainTimeout',
  });
  t.match(await lb4.line(({ event }) => event === 'drainEnded'), { aborted: 1 });
});

// A run over one engine has these behind it.
const WAYS =
  DATA_PLANE.engine === undefined
    ? ([
        ['auto', 'auto'],
        ['node', '0'],
      ] as const)
    : [];
for (const [engine, workers] of WAYS) {
  void t.test(
    `${engine}, ${workers} workers: the first signal joins a drain that the API began, the second ends it`,
    async t => {
      const args = ['--admin', '127.0.0.1:0', '--engine', engine, '--workers', workers];
      const { lb4, address, client } = await withSession(t, args);
      const { address: where } = await lb4.line(({ event }) => event === 'adminListening');
      const admin: Address = { kind: 'tcp', host: '127.0.0.1', port: Number(String(where).split(':')[1]) };
      await askAdmin(admin, 'POST', '/api/v1/drain', { body: { timeout: '1h' } });
      await lb4.line(({ event }) => event === 'drainStarted');
      lb4.child.kill('SIGTERM');
      t.match(await lb4.line(({ event }) => event === 'stopping'), {
        sessions: 1,
        message: /^stopping: a drain is under way already and goes on, with 1 session;/,
      });
      await untilRefused(t, address);
      await client.send(' still here');
      await client.untilText('hello still here');
      lb4.child.kill('SIGTERM');
      t.same(await ended(lb4.child), { code: 0, signal: null });
      t.equal(await client.untilEnded(), 'reset');
    },
  );
}

void t.test('a second signal ends at once', async t => {
  const { lb4, client } = await withSession(t, ['--drain-timeout', '1h']);
  lb4.child.kill('SIGTERM');
  await lb4.line(({ event }) => event === 'drainStarted');
  lb4.child.kill('SIGTERM');
  t.same(await ended(lb4.child), { code: 0, signal: null });
  t.equal(await client.untilEnded(), 'reset');
  t.match(await lb4.line(({ event }) => event === 'session'), { phase: 'drain', reason: 'stopped' });
});

void t.test('with drain.delay SIGTERM refuses no client yet, and a second one ends at once', async t => {
  const folder = temporaryFolder(t);
  const path = join(folder, 'lb4.yaml');
  const backend = await startBackend(t, scripts.echo);
  writeFileSync(
    path,
    `listeners: [{ name: web, bind: ['127.0.0.1:0'], upstream: app }]
upstreams: [{ name: app, health: off, backends: ['${formatAddress(backend.address)}'] }]
drain: { delay: 1h }`,
  );
  const lb4 = await startLb4(t, ['-c', path]);
  lb4.child.kill('SIGTERM');
  t.match(await lb4.line(({ event }) => event === 'drainDelayed'), { delayMs: 3_600_000 });
  const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
  await client.send('hello');
  await client.untilText('hello');
  lb4.child.kill('SIGUSR1');
  t.match(await lb4.line(({ event }) => event === 'snapshot'), { state: 'leaving' });
  lb4.child.kill('SIGTERM');
  t.same(await ended(lb4.child), { code: 0, signal: null });
  t.equal(await client.untilEnded(), 'reset');
});

void t.test('SIGQUIT ends at once', async t => {
  const { lb4, client } = await withSession(t, ['--drain-timeout', '1h']);
  lb4.child.kill('SIGQUIT');
  t.same(await ended(lb4.child), { code: 0, signal: null });
  t.equal(await client.untilEnded(), 'reset');
});

void t.test('SIGUSR1 logs what runs, and opens no debugger', async t => {
  const { lb4, client } = await withSession(t);
  lb4.child.kill('SIGUSR1');
  t.match(await lb4.line(({ event }) => event === 'snapshot'), { state: 'running', sessions: 1 });
  t.match(await lb4.line(({ event }) => event === 'snapshotBackend'), {
    state: 'up',
    sessions: 1,
    weight: 1,
  });
  t.notOk(
    lb4.other.some(line => line.includes('Debugger')),
    lb4.other.join('\n'),
  );
  client.halfClose();
  await client.untilEnded();
  t.equal(await lb4.stop(), 0);
});

void t.test('SIGUSR2 while lb4 drains starts nothing and harms no session', async t => {
  const { lb4, client } = await withSession(t);
  lb4.child.kill('SIGTERM');
  await lb4.line(line => line.event === 'drainStarted');
  lb4.child.kill('SIGUSR2');
  t.match(await lb4.line(({ event }) => event === 'upgradeRefused'), {
    message: 'no upgrade (SIGUSR2): lb4 is draining; nothing was changed',
  });
  await client.send('!');
  await client.untilText('hello!');
  client.halfClose();
  t.equal(await client.untilEnded(), 'fin');
  t.same(await ended(lb4.child), { code: 0, signal: null });
});

for (const [signal, event] of [
  ['SIGHUP', 'reloadRefused'],
  ['SIGPIPE', undefined],
] as const) {
  void t.test(`${signal} harms no session, also while lb4 drains`, async t => {
    const { lb4, client } = await withSession(t);
    const sendIt = async (): Promise<void> => {
      lb4.child.kill(signal);
      if (event !== undefined) await lb4.line(line => line.event === event);
      await client.send('!');
    };
    await sendIt();
    await client.untilText('hello!');
    lb4.child.kill('SIGTERM');
    await lb4.line(line => line.event === 'drainStarted');
    await sendIt();
    await client.untilText('hello!!');
    client.halfClose();
    t.equal(await client.untilEnded(), 'fin');
    t.same(await ended(lb4.child), { code: 0, signal: null });
  });
}
