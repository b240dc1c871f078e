/** Clients of the admin API that send half, too much or nothing: they are ended, and the others are served. */
import { connect, type Socket } from 'node:net';
import t from 'tap';
import type { Address } from '../../../src/support/address.ts';
import { setUnrefTimer, type SetTimer } from '../../../src/support/timer.ts';
import { askAdmin, fakePort, startAdmin } from '../../harness/admin.ts';
import { FakeClock } from '../../harness/fake-clock.ts';
import type { Teardown } from '../../harness/teardown.ts';
import { until } from '../../harness/until.ts';

/** Deadlines a hundred times as short. */
const hurried: SetTimer = (callback, delayMs) => setUnrefTimer(callback, delayMs / 100);

function dial(t: Teardown, address: Address): Socket {
  const socket = connect(address.kind === 'unix' ? { path: address.path } : { ...address });
  t.teardown(() => socket.destroy());
  return socket.on('error', () => undefined);
}

async function endOf(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (piece: Buffer) => (text += piece.toString()));
  await new Promise(resolve => socket.once('close', resolve));
  return text;
}

void t.test('a client that sends nothing, half a header or half a body is ended', async t => {
  const { address, ask } = await startAdmin(t, { setTimer: hurried });
  const halves = ['', 'GET /healthz HT', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: b'];
  const body = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc';
  const ends = [...halves, body].map(async half => {
    const socket = dial(t, address);
    socket.write(half);
    return await endOf(socket);
  });
  for (const text of await Promise.all(ends)) t.match(text, /^HTTP\/1.1 408 /);
  t.equal((await ask('GET', '/healthz')).status, 200, 'others are served');
});

void t.test('a client that sends a byte now and then is ended all the same', async t => {
  const { address } = await startAdmin(t, { setTimer: hurried });
  const socket = dial(t, address);
  socket.write('GET /healthz HTTP/1.1\r\n');
  const dripping = setInterval(() => socket.write('a'), 10);
  t.teardown(() => clearInterval(dripping));
  t.match(await endOf(socket), /^HTTP\/1.1 408 /);
});

void t.test('a connection that is kept alive is ended when no other request comes', async t => {
  const { address } = await startAdmin(t, { setTimer: hurried });
  const socket = dial(t, address);
  socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
  t.match(await endOf(socket), /^HTTP\/1.1 200 /);
});

void t.test('the end of an answer sets no deadline to the next one, whose request is there', async t => {
  const clock = new FakeClock();
  const ends: (() => void)[] = [];
  const reload = (): Promise<never> =>
    new Promise((_resolve, reject) => ends.push(() => reject(new Error('not now'))));
  const { address } = await startAdmin(t, {
    setTimer: clock.setTimer,
    port: fakePort(undefined, { reload }),
  });
  const socket = dial(t, address);
  let text = '';
  socket.on('data', (piece: Buffer) => (text += piece.toString()));
  const answers = (): number => text.match(/^HTTP\/1.1 500 /gm)?.length ?? 0;
  socket.write('POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(2));
  await until('both are under way', () => ends.length === 2);
  ends[0]?.();
  await until('the first one is answered', () => answers() === 1);
  clock.advance(60_000);
  ends[1]?.();
  await until('the second one is answered', () => answers() === 2 || socket.destroyed);
  t.equal(answers(), 2);
});

void t.test('a body of 10 MB is a 413, whether its length is announced or not', async t => {
  const { ask } = await startAdmin(t);
  const body = 'x'.repeat(10_000_000);
  const framings: Record<string, string>[] = [
    { 'content-length': String(body.length) },
    { 'transfer-encoding': 'chunked' },
    { 'content-length': String(body.length), expect: '100-continue' },
  ];
  for (const headers of framings) {
    const { status, json } = await ask('GET', '/api/v1/status', { body, headers });
    t.same([status, json['title']], [413, 'Payload Too Large'], JSON.stringify(headers));
  }
});

void t.test('a body of any size is a 413 at once, and the connection ends', async t => {
  const { address, ask } = await startAdmin(t);
  const head = 'POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n';
  const piece = 'x'.repeat(65_536);
  const heads = {
    announced: 'Content-Length: 9000000000\r\n\r\n',
    chunked: 'Transfer-Encoding: chunked\r\n\r\n',
  };
  for (const [framing, rest] of Object.entries(heads)) {
    const part = framing === 'chunked' ? `10000\r\n${piece}\r\n` : piece;
    // One stops after a little more than is allowed; the other goes on beyond what is thrown away.
    const quiet = dial(t, address);
    quiet.write(head + rest + part + part);
    t.match(
      await endOf(quiet),
      /^HTTP\/1.1 413 [^]*Connection: close/i,
      `${framing}, and the rest never comes`,
    );
    const busy = dial(t, address);
    busy.write(head + rest);
    const sendMore = (): void => {
      while (!busy.destroyed && busy.write(part));
    };
    busy.on('drain', sendMore).on('connect', sendMore);
    // Its side stays open whatever it is told.
    busy.allowHalfOpen = true;
    t.match(await endOf(busy), /^HTTP\/1.1 413 /, `${framing}, and the rest never ends`);
    const body = 'x'.repeat(40_000_000);
    const headers = framing === 'chunked' ? { 'transfer-encoding': 'chunked' } : undefined;
    t.equal((await ask('POST', '/api/v1/reload', { body, ...(headers && { headers }) })).status, 413);
  }
});

void t.test('headers of a megabyte, and what is no HTTP at all, end the connection', async t => {
  const { address, ask } = await startAdmin(t);
  const large = dial(t, address);
  large.write(`GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Large: ${'x'.repeat(1_000_000)}\r\n\r\n`);
  t.match(await endOf(large), /^HTTP\/1.1 431 /);
  const garbage = dial(t, address);
  garbage.write('\u0000\u0001\u0002 this is no HTTP\r\n\r\n');
  t.match(await endOf(garbage), /^HTTP\/1.1 400 /);
  t.equal((await ask('GET', '/healthz')).status, 200);
});

void t.test(
  'of 500 clients of one address 128 are served, the log says so once, and another address is not affected',
  async t => {
    const { server, address, ask, entries } = await startAdmin(t);
    const tcp = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
    let turnedAway = 0;
    const clients = Array.from({ length: 500 }, () => dial(t, tcp).once('close', () => turnedAway++));
    await until('the rest is turned away', () => turnedAway === 372);
    t.equal((await ask('GET', '/healthz')).status, 200, address.kind);
    t.same(
      entries.map(({ event }) => event),
      ['adminFull'],
    );
    for (const client of clients) client.destroy();
  },
);

void t.test(
  'half requests do not shut out others; they give way, the oldest first, and streams and requests under way stay',
  async t => {
    let isReloading = false;
    const reload = (): Promise<never> => new Promise(() => (isReloading = true));
    const { server } = await startAdmin(t, { port: fakePort(undefined, { reload }) });
    const tcp = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 });
    const stream = dial(t, tcp);
    stream.write('GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await new Promise(resolve => stream.once('data', resolve));
    const asking = dial(t, tcp);
    asking.write('POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until('a request is under way', () => isReloading);
    const halves: Socket[] = [];
    const ended: number[] = [];
    for (let index = 0; index < 126; index += 1) {
      const socket = dial(t, tcp).on('close', () => ended.push(index));
      socket.write('POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc');
      await new Promise(resolve => socket.once('connect', resolve));
      halves.push(socket);
    }
    for (const path of ['/healthz', '/readyz', '/healthz']) {
      t.equal((await askAdmin(tcp, 'GET', path)).status, 200, path);
    }
    // A place that a probe has left is free for the next one.
    await until('one has given way', () => ended.length > 0);
    t.equal(ended[0], 0, 'the oldest');
    t.ok(ended.length <= 3, 'and no more than needed');
    t.notOk(stream.destroyed || asking.destroyed);
  },
);

void t.test('where there are few places, half of them are left by clients that follow events', async t => {
  const { ask, address } = await startAdmin(t, { mostClients: 4 });
  for (const status of ['200', '200', '503']) {
    const stream = dial(t, address);
    stream.write('GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const answer = await new Promise<Buffer>(resolve => stream.once('data', resolve));
    t.match(answer.toString(), new RegExp(`^HTTP/1.1 ${status} `));
  }
  t.equal((await ask('GET', '/api/v1/status')).status, 200);
});

void t.test('closing the server ends clients that wait, and removes its socket', async t => {
  const { server, address } = await startAdmin(t);
  const socket = dial(t, address);
  await new Promise(resolve => socket.once('connect', resolve));
  const ended = endOf(socket);
  server.close();
  await ended;
  const late = dial(t, address);
  const error = await new Promise<unknown>(resolve => late.once('error', resolve));
  t.match(error, { code: 'ENOENT' });
});
