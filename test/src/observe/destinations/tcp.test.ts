/**
 * Messages over TCP to a receiver that reads, stands still, resets, refuses and vanishes. The receivers are real; time
 * and what is acknowledged are the test's.
 */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { TcpOutput } from '../../../../src/observe/destinations/tcp.ts';
import type { Written } from '../../../../src/observe/output.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';
import { until } from '../../../harness/until.ts';

interface Receiver {
  readonly port: number;
  readonly server: Server;
  readonly sockets: Socket[];
  /** All that every connection has brought. */
  readonly text: () => string;
  close(): Promise<void>;
}

async function receiver(t: Test, port = 0): Promise<Receiver> {
  let text = '';
  const sockets: Socket[] = [];
  const server = createServer(socket => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', chunk => (text += chunk.toString()));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise(done => server.close(done));
  };
  t.teardown(close);
  const address = server.address();
  return {
    ...{ server, sockets, close, text: () => text },
    port: typeof address === 'object' && address !== null ? address.port : 0,
  };
}

function create(t: Test, port: number, host = '127.0.0.1') {
  const clock = new FakeClock();
  const state: { left: number | undefined } = { left: 0 };
  const { now, setTimer } = clock;
  const output = new TcpOutput(host, port, { now, setTimer, unacknowledged: () => state.left });
  t.teardown(() => output.close());
  const answers: Written[] = [];
  const write = (text: string): void => output.write(Buffer.from(text), each => answers.push(each));
  const answered = (count: number): Promise<void> =>
    until(`there are ${count} answers`, () => answers.length >= count);
  return { output, clock, state, answers, write, answered };
}

void t.test('each line stands behind its length in bytes', async t => {
  const { port, text } = await receiver(t);
  const { write, answers, answered } = create(t, port);
  write('one\nzwei é\n');
  await answered(1);
  write('three\n');
  await answered(2);
  await until('it has arrived', () => text().endsWith('three'));
  t.equal(text(), '3 one7 zwei é5 three');
  t.strictSame(answers, [{ taken: 12 }, { taken: 6 }]);
});

void t.test('a chunk is written when all of it is acknowledged, and looked at ever less often', async t => {
  const { port } = await receiver(t);
  const { write, answers, clock, state } = create(t, port);
  state.left = 4;
  write('one\n');
  await until('it is looked at', () => clock.delays.includes(2));
  await clock.advanceAndSettle(1_000);
  t.strictSame(answers, []);
  t.strictSame(clock.delays.slice(2, 10), [2, 4, 8, 16, 32, 64, 100, 100]);
  state.left = 0;
  await clock.advanceAndSettle(100);
  t.strictSame(answers, [{ taken: 4 }]);
  t.equal(clock.pending, 0);
});

void t.test('where the system does not show it, a chunk is written when the system has taken it', async t => {
  const { port } = await receiver(t);
  const { write, answers, answered, state } = create(t, port);
  state.left = undefined;
  write('one\n');
  await answered(1);
  t.strictSame(answers, [{ taken: 4 }]);
});

void t.test('a receiver that is half-open is given up after a minute without an acknowledgement', async t => {
  const { port, sockets, text } = await receiver(t);
  const { write, answers, answered, clock, state } = create(t, port);
  state.left = 4;
  write('one\n');
  await until('it is looked at', () => clock.delays.includes(2));
  await clock.advanceAndSettle(59_000);
  t.strictSame(answers, []);
  await clock.advanceAndSettle(1_200);
  t.strictSame(answers, [{ taken: 0, code: 'ETIMEDOUT' }]);
  state.left = 0;
  await clock.advanceAndSettle(1_000);
  write('one\n');
  await answered(2);
  t.strictSame(answers[1], { taken: 4 }, 'and the chunk is sent again over another connection');
  await until('it has arrived', () => text() === '3 one3 one');
  t.equal(sockets.length, 2);
});

void t.test('a reset in the middle of a line sends all of the chunk again', async t => {
  const { port, sockets, text } = await receiver(t);
  const { write, answers, answered, clock, state } = create(t, port);
  state.left = 4;
  write('one\ntwo\n');
  await until('some of it has arrived', () => text().length > 0);
  sockets[0]?.resetAndDestroy();
  await answered(1);
  t.match(answers, [{ taken: 0, code: /^(ECONNRESET|EPIPE)$/ }]);
  state.left = 0;
  clock.advance(1_000);
  write('one\ntwo\n');
  await answered(2);
  await until('it has arrived', () => text() === '3 one3 two3 one3 two');
  t.strictSame(answers[1], { taken: 8 });
});

void t.test(
  'a receiver that ends the connection while nothing is under way is noticed before the next line',
  async t => {
    const { port, sockets } = await receiver(t);
    const { write, answers, answered, clock } = create(t, port);
    write('one\n');
    await answered(1);
    sockets[0]?.end('what a receiver says is not kept');
    await until('it is noticed', () => {
      write('two\n');
      return answers.at(-1)?.code === 'EPIPE';
    });
    clock.advance(1_000);
    const { length } = answers;
    write('two\n');
    await answered(length + 1);
    t.strictSame(answers.at(-1), { taken: 4 });
  },
);

void t.test(
  'one that refuses is tried after a second, then after twice as long each time, half a minute at most',
  async t => {
    const gone = await receiver(t);
    await gone.close();
    const { write, answers, answered, clock } = create(t, gone.port);
    let attempts = 0;
    for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      write('one\n');
      await answered(++attempts);
      clock.advance(pauseMs - 1);
      write('one\n');
      t.equal(answers.length, ++attempts, 'answered at once, without an attempt');
      clock.advance(1);
    }
    t.ok(answers.every(({ taken, code }) => taken === 0 && code === 'ECONNREFUSED'));
    const back = await receiver(t, gone.port);
    write('one\n');
    await answered(attempts + 1);
    await until('it has arrived', () => back.text() === '3 one');
    t.strictSame(answers.at(-1), { taken: 4 });
    await back.close();
    await until('it is noticed', () => {
      write('two\n');
      return answers.at(-1)?.code !== undefined;
    });
    clock.advance(1_000);
    const { length } = answers;
    write('two\n');
    await answered(length + 1);
    t.equal(answers.at(-1)?.code, 'ECONNREFUSED', 'after it was well, a second is enough again');
  },
);

void t.test('a connect that is not answered is given up after five seconds', async t => {
  // TEST-NET-1 is nowhere; where the network refuses it at once there is nothing to wait for.
  const { write, answers, clock } = create(t, 9, '192.0.2.1');
  write('one\n');
  clock.advance(5_000);
  await until('it is answered', () => answers.length === 1);
  t.match(answers, [{ taken: 0, code: /^(ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED|EACCES|EPERM)$/ }]);
  t.equal(clock.pending, 0);
});

void t.test('a line that is longer than 64 KiB is cut', async t => {
  const { port, text } = await receiver(t);
  const { write, answered } = create(t, port);
  write(`${'x'.repeat(70_000)}\n`);
  await answered(1);
  await until('it has arrived', () => text().length === 6 + 65_536 - 2);
  t.match(text(), /^65536 x+…$/);
});

void t.test('one that is closed answers no more, leaves no timer, and ends its connection', async t => {
  const { port, sockets } = await receiver(t);
  const { output, write, answers, clock, state } = create(t, port);
  state.left = 4;
  write('one\n');
  await until('it is looked at', () => clock.delays.includes(2));
  output.writeNow(Buffer.from('not in the middle of another chunk\n'));
  output.close();
  t.equal(clock.pending, 0);
  await until('the connection ends', () => sockets[0]?.destroyed === true);
  t.strictSame(answers, []);
});

void t.test('at the exit of the process lines go out over the connection that there is', async t => {
  const { port, text } = await receiver(t);
  const { output, write, answered } = create(t, port);
  output.writeNow(Buffer.from('before there is one\n'));
  write('one\n');
  await answered(1);
  output.writeNow(Buffer.from('two\n'));
  await until('it has arrived', () => text() === '3 one3 two');
});
