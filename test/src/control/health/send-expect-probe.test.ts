import { join } from 'node:path';
import t from 'tap';
import {
  startBackend,
  startDeafBackend,
  refusingAddress,
  scripts,
  type Script,
} from '../../../harness/backend.ts';
import { temporaryFolder } from '../../../harness/temporary-folder.ts';
import { pause, until } from '../../../harness/until.ts';
import { failedWith, openSockets, PASSED, probeOf, probeOnce, targetOf } from './probing.ts';

const PING = { type: 'sendExpect', send: 'PING\r\n', expect: '+PONG' };
const WAIT = { type: 'sendExpect', expect: 'ready', interval: '300ms' };

/** Answers what it is asked, whole or a byte at a time. */
const answer =
  (text: string | Uint8Array): Script =>
  peer =>
    peer.socket.once('data', () => void peer.send(text));
const byteWise =
  (text: string): Script =>
  peer =>
    void (async () => {
      for (const byte of text) await peer.send(byte);
    })();

void t.test('the reply passes when it has the text, wherever it stands and however it is cut', async t => {
  const whole = await startBackend(t, answer('-hello\r\n+PONG\r\n'));
  t.same(await probeOnce(whole.address, PING), PASSED);
  t.equal(whole.peers[0]?.text, 'PING\r\n');
  const slow = await startBackend(t, byteWise('well ready'));
  t.same(await probeOnce(slow.address, WAIT), PASSED, 'a backend that speaks first, one byte at a time');
});

void t.test('it leaves with a FIN, and hears out a backend that goes on speaking', async t => {
  const backend = await startBackend(t, peer => {
    void peer
      .send('ready')
      .then(() => pause(10))
      .then(() => peer.send('x'.repeat(30_000)))
      // A second write would meet the reset that the first one caused.
      .then(() => pause(10))
      .then(() => peer.send('y'))
      .then(() => peer.halfClose());
  });
  t.same(await probeOnce(backend.address, WAIT), PASSED);
  await until('the backend has finished', () => backend.peers[0]?.closed === true);
  t.equal(backend.peers[0]?.ending, 'fin', 'no reset came back for what it said then');
  await until('our side is closed', () => openSockets() === 0);
});

void t.test('bytes go out and come back as they are', async t => {
  const backend = await startBackend(t, answer(Uint8Array.of(0, 0xff, 0x80, 10)));
  const hex = { type: 'sendExpect', sendHex: '00 fe 0d0A', expectPattern: '^\\x00\\xff\\x80$' };
  t.same(await probeOnce(backend.address, hex), PASSED);
  const received = await backend.next();
  t.same(received.receivedBytes, 4);
  const utf8 = await startBackend(t, answer('größer'));
  t.same(await probeOnce(utf8.address, { type: 'sendExpect', send: 'ß', expect: 'öß' }), PASSED);
  t.same((await utf8.next()).text, 'ß');
});

void t.test('a text is no pattern, and ^ and $ of a pattern match at line ends', async t => {
  const backend = await startBackend(t, scripts.greet('aXb\r\nOK 5\r\nend\r\n'));
  t.same(await probeOnce(backend.address, { type: 'sendExpect', expectPattern: '^OK \\d$' }), PASSED);
  const dot = { type: 'sendExpect', expect: 'a.b', interval: '50ms' };
  t.same(
    await probeOnce(backend.address, dot),
    failedWith(String.raw`no more than "aXb\r\nOK 5\r\nend\r\n" within 50ms`),
  );
});

void t.test('an answer that does not come in time, or only half, fails', async t => {
  const mute = await startBackend(t);
  t.same(await probeOnce(mute.address, { ...PING, interval: '50ms' }), failedWith('no answer within 50ms'));
  const half = await startBackend(t, answer('+PO'));
  t.same(
    await probeOnce(half.address, { ...PING, interval: '50ms' }),
    failedWith('no more than "+PO" within 50ms'),
  );
  const deaf = await startDeafBackend(t);
  const results = await Promise.all(
    Array.from({ length: 5 }, () => probeOnce(deaf, { ...PING, interval: '100ms' })),
  );
  for (const result of results) t.same(result, failedWith('no answer within 100ms'));
  await mute.peers[0]?.untilEnded();
  await half.peers[0]?.untilEnded();
});

void t.test('more than 4 KiB without the text fails at once, by its beginning, and is not held', async t => {
  const flood: Script = peer => {
    const more = (): void => {
      if (peer.closed) return;
      peer.socket.write('\x1b[31m"\n' + 'y'.repeat(60_000), () => setImmediate(more));
    };
    more();
  };
  const backend = await startBackend(t, flood);
  const result = await probeOnce(backend.address, { ...WAIT, interval: '5s' });
  t.match(result, { reason: /^"ready" not in the first 4 KiB, which begin "\\x1b\[31m\\"\\ny+…"$/ });
  await until('the flood has ended', () => backend.peers[0]?.closed === true);
});

void t.test('text behind the first 4 KiB does not count', async t => {
  const backend = await startBackend(t, scripts.greet(`${'z'.repeat(4_092)}ready`));
  t.match(await probeOnce(backend.address, WAIT), { verdict: 'failed' });
  const just = await startBackend(t, scripts.greet(`${'z'.repeat(4_091)}ready`));
  t.same(await probeOnce(just.address, WAIT), PASSED);
});

void t.test('a backend that closes or resets fails, with what it had said', async t => {
  const rude = await startBackend(t, peer => peer.socket.end('go away\r\n'));
  t.same(await probeOnce(rude.address, WAIT), failedWith(String.raw`closed after "go away\r\n"`));
  const silent = await startBackend(t, peer => peer.socket.end());
  t.same(await probeOnce(silent.address, WAIT), failedWith('closed before it answered'));
  const reset = await startBackend(t, peer => setTimeout(() => peer.reset(), 20));
  t.same(await probeOnce(reset.address, WAIT), failedWith('reset (ECONNRESET)'));
  t.same(await probeOnce(await refusingAddress(), WAIT), failedWith('refused (ECONNREFUSED)'));
  t.same(await probeOnce({ kind: 'unix', path: '/nowhere/at/all' }, WAIT), failedWith('refused (ENOENT)'));
});

void t.test('a unix socket is as good', async t => {
  const folder = temporaryFolder(t);
  const where = { kind: 'unix', path: join(folder, 's') } as const;
  await startBackend(t, answer('+PONG\r\n'), where);
  t.same(await probeOnce(where, PING), PASSED);
});

void t.test('a cancelled probe says nothing and keeps no socket', async t => {
  const backend = await startBackend(t);
  const probe = probeOf(WAIT);
  const results: unknown[] = [];
  const target = targetOf(backend.address, 'a:1');
  const cancels = [probe, probe].map(each => each(target, result => results.push(result)));
  cancels[0]?.();
  await backend.next();
  cancels[1]?.();
  cancels[1]?.();
  await until(
    'both are gone',
    () => openSockets() === 0 && backend.peers.every(({ ending }) => ending !== undefined),
  );
  t.same(results, []);
});
