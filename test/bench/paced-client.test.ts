/** The paced client over real sockets: it asks at its rate, and finds what is wrong with the answers. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import t from 'tap';
import { runPaced, type PacedResult } from '../../bench/load/paced-client.ts';
import { percentile } from '../../bench/measure/stats.ts';

const REQUEST = Buffer.from('ask\n');
const RESPONSE = Buffer.from('here you are\n');

/** Serves each request by calling `answer` with its number, counted over all connections from 0. */
async function serving(answer: (socket: Socket, index: number) => void): Promise<Server> {
  let asked = 0;
  const server = createServer({ noDelay: true }, socket => {
    let pending = 0;
    socket.on('error', () => undefined);
    socket.on('data', chunk => {
      pending += chunk.length;
      for (; pending >= REQUEST.length; pending -= REQUEST.length) answer(socket, asked++);
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function runOver(
  server: Server,
  settings: { ratePerSecond: number; measureMs: number },
): Promise<PacedResult> {
  return runPaced({
    ...settings,
    // A listening TCP server has an AddressInfo.
    port: (server.address() as AddressInfo).port,
    connections: 4,
    request: REQUEST,
    response: RESPONSE,
    warmUpMs: 100,
    answerWithinMs: 1_000,
    startCpuMeter: () => () => ({ balancer: undefined, stolenPercent: undefined }),
  });
}

void t.test('asks as often as it was told, and leaves the warm-up out of the figures', async t => {
  let asked = 0;
  const server = await serving(socket => {
    asked++;
    socket.write(RESPONSE);
  });
  t.teardown(() => server.close());
  const result = await runOver(server, { ratePerSecond: 500, measureMs: 400 });
  t.equal(result.errors, 0);
  t.equal(asked, 250, '100 ms of warm-up and 400 ms');
  t.equal(result.latenciesMs.length, 200);
  t.ok(result.clientLateMs.length > 0);
  t.ok((result.latenciesMs[0] ?? -1) > 0);
});

void t.test('shows a stall that took 60 ms in more than one request', async t => {
  const held: Socket[] = [];
  let stalled = false;
  const server = await serving((socket, index) => {
    if (index === 100) {
      stalled = true;
      setTimeout(() => {
        stalled = false;
        for (const waiting of held) waiting.write(RESPONSE);
      }, 60);
    }
    if (stalled) held.push(socket);
    else socket.write(RESPONSE);
  });
  t.teardown(() => server.close());
  const result = await runOver(server, { ratePerSecond: 500, measureMs: 400 });
  t.equal(result.errors, 0);
  t.ok(percentile(result.latenciesMs, 90) > 5, 'at 500/s some 30 of 200 requests were due in that time');
});

void t.test('counts wrong answers, answers that are missing and connections that end', async t => {
  const server = await serving((socket, index) => {
    if (index === 20) socket.write('HERE YOU ARE\n');
    else if (index === 40) socket.end();
    else if (index !== 60) socket.write(RESPONSE);
  });
  t.teardown(() => server.close());
  const result = await runOver(server, { ratePerSecond: 200, measureMs: 400 });
  t.equal(result.errors, 3);
});
