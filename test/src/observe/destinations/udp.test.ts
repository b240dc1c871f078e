/** Datagrams to a receiver that is there, is not there, goes and comes back; the receivers are real sockets. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { UdpOutput } from '../../../../src/observe/destinations/udp.ts';
import type { Written } from '../../../../src/observe/output.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';
import { until } from '../../../harness/until.ts';

interface Receiver {
  readonly port: number;
  readonly got: string[];
  close(): Promise<void>;
}

async function receiver(t: Test, port = 0, host = '127.0.0.1'): Promise<Receiver> {
  const socket: Socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const got: string[] = [];
  socket.on('message', message => got.push(message.toString()));
  socket.bind(port, host);
  await once(socket, 'listening');
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    socket.close();
    await once(socket, 'close');
  };
  t.teardown(close);
  return { port: socket.address().port, got, close };
}

function create(t: Test, port: number, host = '127.0.0.1') {
  const timers = new FakeTimers();
  const output = new UdpOutput(host, port, timers.setTimer);
  t.teardown(() => output.close());
  /** Writes, and lets the time pass in which a report may come. */
  const write = async (text: string): Promise<Written> => {
    let written: Written | undefined;
    output.write(Buffer.from(text), each => (written = each));
    await until('it is written', async () => {
      // Real sockets report within a turn or two.
      for (let i = 0; i < 3; i++) await new Promise(setImmediate);
      if (written === undefined) timers.fireAll();
      return written !== undefined;
    });
    return written ?? { taken: -1 };
  };
  return { output, timers, write };
}

void t.test('each line is a datagram, in order, without its end', async t => {
  for (const host of ['127.0.0.1', '::1']) {
    const { port, got } = await receiver(t, 0, host);
    const { write, timers } = create(t, port, host);
    t.strictSame(await write('one\ntwo é\n'), { taken: 11 });
    t.strictSame(await write('three\n'), { taken: 6 });
    await until('all have arrived', () => got.length === 3);
    t.strictSame(got, ['one', 'two é', 'three']);
    t.equal(timers.delays.length, 1, 'the first line alone waits for a report');
  }
});

void t.test('a receiver that was never there costs no line: the first one is sent again', async t => {
  const gone = await receiver(t);
  await gone.close();
  const { write } = create(t, gone.port);
  const refused = { taken: 0, code: 'ECONNREFUSED', lost: 0 };
  t.strictSame(await write('one\ntwo\n'), refused);
  t.strictSame(await write('one\ntwo\n'), refused, 'and does not look well in between');
  const back = await receiver(t, gone.port);
  t.strictSame(await write('one\ntwo\n'), { taken: 8 });
  await until('all have arrived', () => back.got.length === 2);
  t.strictSame(back.got, ['one', 'two']);
});

void t.test('a receiver that goes costs the line before the report, which is counted', async t => {
  const first = await receiver(t);
  const { write } = create(t, first.port);
  t.strictSame(await write('one\n'), { taken: 4 });
  await until('it has arrived', () => first.got.length === 1);
  await first.close();
  t.strictSame(await write('lost\nkept\n'), { taken: 5, code: 'ECONNREFUSED', lost: 1 });
  t.strictSame(await write('kept\n'), { taken: 0, code: 'ECONNREFUSED', lost: 0 });
  const second = await receiver(t, first.port);
  t.strictSame(await write('kept\n'), { taken: 5 });
  await until('it has arrived', () => second.got.length === 1);
  t.strictSame(second.got, ['kept']);
});

void t.test('the last line of all is reported, too, without another one after it', async t => {
  const first = await receiver(t);
  const { write } = create(t, first.port);
  await write('one\n');
  await first.close();
  t.strictSame(await write('lost\n'), { taken: 5, code: 'ECONNREFUSED', lost: 1 });
});

void t.test('a name that does not exist is a failure of the chunk, and is looked up again', async t => {
  const { write } = create(t, 9, 'no.such.name.invalid');
  for (let i = 0; i < 2; i++) t.match(await write('one\n'), { taken: 0, code: /^(ENOTFOUND|EAI_AGAIN)$/ });
});

void t.test('a line that is longer than receivers take is cut between two characters', async t => {
  const { port, got } = await receiver(t);
  const { write } = create(t, port);
  const long = `${'é'.repeat(10_000)}\n`;
  t.strictSame(await write(long), { taken: Buffer.byteLength(long) });
  await until('it has arrived', () => got.length === 1);
  t.equal(Buffer.byteLength(got[0] ?? ''), 8 * 1024 - 1);
  t.match(got[0], /^é+…$/);
});

void t.test('what is left at the exit of the process is sent at once', async t => {
  const { port, got } = await receiver(t);
  const { write, output } = create(t, port);
  output.writeNow(Buffer.from('before there is a socket\n'));
  await write('one\n');
  output.writeNow(Buffer.from('two\nthree\n'));
  await until('all have arrived', () => got.length === 3);
  output.close();
  output.writeNow(Buffer.from('after the end\n'));
  output.close();
  t.strictSame(got, ['one', 'two', 'three']);
});

void t.test(
  'one that is closed while it waits for a report answers no more, and leaves no timer',
  async t => {
    const { port } = await receiver(t);
    const { output, timers } = create(t, port);
    let answers = 0;
    output.write(Buffer.from('one\n'), () => (answers += 1));
    await until('it waits', () => timers.pending === 1);
    output.close();
    t.equal(timers.pending, 0);
    t.equal(answers, 0);
  },
);
