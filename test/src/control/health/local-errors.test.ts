/** What this machine lacks is not the backend's fault. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { createProbe } from '../../../../src/control/health/create-probe.ts';
import { failureOf } from '../../../../src/control/health/probe-failure.ts';
import type { ProbeResult } from '../../../../src/control/health/probe.ts';
import { startBackend } from '../../../harness/backend.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';
import { FakeEngine } from '../../../harness/fake-engine.ts';
import { runProgram } from '../../../harness/programs.ts';
import { failedWith, health, PASSED, probeOnce, targetOf } from './probing.ts';

const NONE: ProbeResult = { verdict: 'none' };
const ADDRESS = { kind: 'tcp', host: '10.0.0.1', port: 80 } as const;
const TARGET = targetOf(ADDRESS, '10.0.0.1:80');
const coded = (code: string, more: object = {}): Error => Object.assign(new Error('text'), { code, ...more });

void t.test('running out of descriptors, ports or memory is no verdict', async t => {
  for (const code of ['EMFILE', 'ENFILE', 'ENOBUFS', 'EADDRNOTAVAIL', 'ENOMEM', 'EAGAIN']) {
    t.same(failureOf(coded(code), 'tcp'), NONE, code);
  }
  t.same(
    failureOf(coded('EAGAIN'), 'unix'),
    failedWith('refused (EAGAIN)'),
    'a full backlog is the backend’s',
  );
});

void t.test('other errors are told in words', async t => {
  const cases: [Error, string][] = [
    [coded('EHOSTUNREACH'), 'unreachable (EHOSTUNREACH)'],
    [coded('ETIMEDOUT'), 'timeout (ETIMEDOUT)'],
    [coded('ECONNRESET', { syscall: 'read' }), 'reset (ECONNRESET)'],
    [coded('ECONNRESET'), 'closed before it answered'],
    [coded('CERT_HAS_EXPIRED'), 'certificate: text'],
    [coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'certificate: text'],
    [coded('EPROTO', { reason: 'wrong version number' }), 'no TLS handshake: wrong version number'],
    [new Error('a\nb'), String.raw`a\nb`],
    [new Error('x'.repeat(300)), `${'x'.repeat(199)}…`],
  ];
  for (const [error, reason] of cases) t.same(failureOf(error, 'tcp'), failedWith(reason));
  t.same(failureOf('odd', 'tcp'), failedWith('odd'));
});

void t.test('the tcp probe connects with the engine and leaves with a FIN', async t => {
  const engine = new FakeEngine();
  const openSocket = (): never => t.fail('a socket is opened without the engine') as never;
  const probe = createProbe(health({ type: 'tcp' }), {
    engine,
    openSocket,
    setTimer: new FakeTimers().setTimer,
    baseDir: '/',
    at: ['x'],
  });
  const results: ProbeResult[] = [];
  const start = () => {
    probe(TARGET, result => results.push(result));
    return engine.connects.at(-1)!;
  };
  t.same(start().succeed().calls, ['finish']);
  t.equal(engine.connects[0]?.timeoutMs, 2_000);
  start().fail('refused', 'ECONNREFUSED');
  start().fail('timeout', 'ETIMEDOUT');
  start().fail('localResources', 'EMFILE');
  start().fail('unreachable', 'EADDRNOTAVAIL');
  start().fail('unreachable', 'ENETUNREACH');
  t.same(results, [
    PASSED,
    failedWith('refused (ECONNREFUSED)'),
    failedWith('no answer within 2s'),
    NONE,
    NONE,
    failedWith('unreachable (ENETUNREACH)'),
  ]);
  const cancel = probe(TARGET, () => undefined);
  cancel();
  t.ok(engine.connects.at(-1)?.cancelled);
});

void t.test('type off has nothing to check: everything passes', async t => {
  t.same(await probeOnce(ADDRESS, { type: 'off' }), PASSED);
});

void t.test('with no descriptor left in the process no kind of probe gives a verdict', async t => {
  const backend = await startBackend(t);
  const port = backend.address.kind === 'tcp' ? backend.address.port : 0;
  const kinds = ['http', 'tls', 'sendExpect'];
  const program = `
    const { createProbe } = await import(${JSON.stringify(fileURLToPath(new URL('../../../../src/control/health/create-probe.js', import.meta.url)))});
    const { AddressWalk } = await import(${JSON.stringify(fileURLToPath(new URL('../../../../src/engine/address-walk.js', import.meta.url)))});
    const { openSocket } = await import(${JSON.stringify(fileURLToPath(new URL('../../../../src/engine/node/open-socket.js', import.meta.url)))});
    const { setUnrefTimer } = await import(${JSON.stringify(fileURLToPath(new URL('../../../../src/support/timer.js', import.meta.url)))});
    const { openSync } = await import('node:fs');
    const probes = ${JSON.stringify(kinds)}.map(type =>
      createProbe({ type, timeout: 1000, preset: 'ssh' }, { openSocket, setTimer: setUnrefTimer, baseDir: '/', at: '' }));
    const addresses = new AddressWalk(() => performance.now());
    addresses.update([{ kind: 'tcp', host: '127.0.0.1', port: ${port} }]);
    const target = { addresses, backend: 'a:1' };
    try { for (;;) openSync('/dev/null'); } catch {}
    const results = [];
    for (const probe of probes) probe(target, ({ verdict }) => {
      results.push(verdict);
      if (results.length === 3) process.stdout.write(results.join(' '));
    });`;
  const { stdout, stderr } = await runProgram('sh', [
    '-c',
    'ulimit -n 64; exec "$0" --input-type=module -e "$1"',
    process.execPath,
    program,
  ]);
  t.equal(stdout, 'none none none', stderr);
  t.equal(backend.peers.length, 0);
});
