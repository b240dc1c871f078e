/** The events of a running lb4, as a dashboard follows them: from its start to its last one; and 500 clients that do not read. */
import { connect } from 'node:net';
import t from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { MOST_STREAMS } from '../../src/admin/events/event-streams.ts';
import { askAdmin } from '../harness/admin.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { followEvents } from '../harness/event-stream.ts';
import { startLb4, type Lb4Process } from '../harness/lb4-process.ts';
import { ended } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { until } from '../harness/until.ts';

const WAYS = [['node', '0'], ...(loadLibc().ok ? [['epoll', '2'] as const] : [])] as const;

async function adminOf(lb4: Lb4Process): Promise<Address> {
  const { address } = await lb4.line(({ event }) => event === 'adminListening');
  const [host = '', port] = String(address).split(':');
  return { kind: 'tcp', host, port: Number(port) };
}

for (const [engine, workers] of WAYS) {
  void t.test(`${engine}, ${workers} workers: events from the start to the end of the drain`, async t => {
    const backend = await startBackend(t, scripts.echo);
    const name = formatAddress(backend.address);
    const args = ['-b', name, '--engine', engine, '--workers', workers, '--admin', '127.0.0.1:0'];
    const lb4 = await startLb4(t, [...args, '--health-interval', '100ms']);
    const admin = await adminOf(lb4);
    const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
    await client.send('hello');
    await client.untilText('hello');
    const stream = await followEvents(t, admin, { path: '/api/v1/events?recent=100&status=1s' });
    const event = (wanted: string) =>
      until(wanted, () => stream.events.some(({ name: each }) => each === wanted));
    await event('status');
    t.match(
      stream.events.filter(({ name: each }) => each !== 'status').map(({ data }) => data),
      [
        { event: 'engine:chosen', engine },
        { event: 'listener:listening', address: lb4.address, upstream: 'default' },
      ],
      'what was before anyone followed',
    );
    const path = `/api/v1/upstreams/default/backends/${name}`;
    await askAdmin(admin, 'PATCH', path, { body: { weight: 7 } });
    await event('backend:shareSet');
    await until('a status has the session and the weight', () =>
      stream.events.some(({ data }) => {
        const text = JSON.stringify(data);
        return text.includes('"sessions":1') && text.includes('"weight":7');
      }),
    );
    lb4.child.kill('SIGTERM');
    await event('drain:started');
    client.halfClose();
    t.same(await ended(lb4.child), { code: 0, signal: null });
    await until('the stream has ended', () => stream.isEnded);
    t.match(stream.events.at(-1), { name: 'drain:ended', data: { aborted: 0 } });
  });
}

void t.test(
  '500 clients that ask for everything and do not read: 64 have a stream, the log is not flooded, and sessions go on',
  async t => {
    const backend = await startBackend(t, scripts.echo);
    const names = Array.from({ length: 200 }, (_, i) => `127.0.0.1:${i + 1}`);
    const live = formatAddress(backend.address);
    const args = ['-b', [live, ...names].join(','), '--health', 'off', '--admin', '127.0.0.1:0'];
    const lb4 = await startLb4(t, [...args, '-s', 'first']);
    const admin = await adminOf(lb4);
    if (admin.kind !== 'tcp') throw new Error('by TCP');
    const reader = await followEvents(t, admin);
    const answers: string[] = [];
    for (let i = 0; i < 500; i++) {
      const client = connect({ host: admin.host, port: admin.port });
      t.teardown(() => client.destroy());
      let answer = 'turned away';
      client.once('data', text => {
        answer = text.toString().slice(0, 'HTTP/1.1 200'.length);
        answers.push(answer);
        client.pause();
      });
      client
        .on('error', () => undefined)
        .once('close', () => answer === 'turned away' && answers.push(answer));
      client.write('GET /api/v1/events?status=1s HTTP/1.1\r\nHost: localhost\r\n\r\n');
    }
    await until('every client has its answer', () => answers.length === 500);
    // The reader has the last place.
    t.equal(answers.filter(answer => answer === 'HTTP/1.1 200').length, MOST_STREAMS - 1);
    const path = `/api/v1/upstreams/default/backends/${live}`;
    for (let weight = 1; weight <= 100; weight++) {
      const { status } = await askAdmin(admin, 'PATCH', path, { body: { weight } });
      if (status !== 200) throw new Error(`weight ${weight}: ${status}`);
    }
    await until('the reader has them all', () => reader.events.length === 99);
    const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
    await client.send('hello');
    await client.untilText('hello');
    client.halfClose();
    t.equal(await client.untilEnded(), 'fin');
    // None, if every client was answered before the next one came.
    t.ok(lb4.lines.filter(({ event }) => event === 'adminFull').length <= 1);
    t.equal(lb4.lines.filter(({ event }) => event === 'adminFailed').length, 0);
    t.equal(await lb4.stop(), 0);
  },
);
