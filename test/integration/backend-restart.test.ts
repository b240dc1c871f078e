/**
 * One of three backends is killed and comes back while clients keep connecting: no session that had not yet
 * reached it fails.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { Agent, get } from 'node:http';
import { createInterface } from 'node:readline';
import t from 'tap';
import { startLb4 } from '../harness/lb4-process.ts';
import { ended, freePort } from '../harness/programs.ts';

/** A backend in a process of its own, so that it can really be killed. Prints a line per request it takes. */
const BACKEND = `
  const { createServer } = require('node:http');
  createServer((request, response) => {
    process.stdout.write(request.url + '\\n');
    setTimeout(() => response.end('ok'), 5);
  }).listen(Number(process.argv[1]), '127.0.0.1', 4096, () => process.stdout.write('ready\\n'));
`;

async function startBackend(port: number, reached: Set<string>): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', BACKEND, `${port}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>(resolve =>
    createInterface({ input: child.stdout }).on('line', line => {
      if (line === 'ready') resolve();
      else reached.add(line);
    }),
  );
  return child;
}

void t.test('only sessions that had reached the killed backend end with it', async t => {
  const reachedVictim = new Set<string>();
  const ports = [await freePort(), await freePort(), await freePort()] as const;
  const children = new Map<number, ChildProcess>();
  const boot = async (port: number): Promise<void> => {
    const child = await startBackend(port, port === ports[0] ? reachedVictim : new Set());
    children.set(port, child);
    t.teardown(() => child.kill('SIGKILL'));
  };
  await Promise.all(ports.map(boot));
  const lb4 = await startLb4(t, [
    ...['-b', ports.map(port => `127.0.0.1:${port}`).join(',')],
    ...['-s', 'roundrobin', '--health-interval', '200ms', '--access-log'],
  ]);

  let requests = 0;
  let failed = 0;
  const agent = new Agent({ keepAlive: false });
  const request = (): Promise<void> =>
    new Promise(resolve => {
      const path = `/${requests++}`;
      get({ host: lb4.host, port: lb4.port, path, agent }, response => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
        response.on('error', () => undefined);
        response.on('close', () => {
          if (text !== 'ok') failed += 1;
          resolve();
        });
      }).on('error', () => {
        failed += 1;
        resolve();
      });
    });
  let over = false;
  const client = async (): Promise<void> => {
    while (!over) await request();
  };
  const clients = Array.from({ length: 20 }, client);

  const requestsTo = async (count: number): Promise<void> => {
    for (const goal = requests + count; requests < goal;)
      await new Promise(resolve => setTimeout(resolve, 5));
  };
  await requestsTo(500);
  const victim = children.get(ports[0]);
  t.ok(reachedVictim.size > 50, 'the victim takes its share');
  victim?.kill('SIGKILL');
  await lb4.line(({ event, backend }) => event === 'backendDown' && backend === `127.0.0.1:${ports[0]}`);
  await requestsTo(500);
  const takenBefore = reachedVictim.size;
  await boot(ports[0]);
  await lb4.line(({ event, backend }) => event === 'backendUp' && backend === `127.0.0.1:${ports[0]}`);
  await requestsTo(500);
  over = true;
  await Promise.all(clients);

  t.ok(requests >= 1_500);
  t.equal(await lb4.stop(), 0);
  const sessions = lb4.lines.filter(({ event }) => event === 'session');
  // Every whole answer is equally long, so what a session delivered tells whether its client was served.
  const wholeAnswer = sessions[0]?.['bytesFromBackend'];
  const unserved = sessions.filter(({ bytesFromBackend }) => bytesFromBackend !== wholeAnswer);
  t.equal(
    unserved.length,
    failed,
    `${failed} of ${requests} requests failed, and the access log has each of them`,
  );
  t.same(
    unserved.filter(({ backend, phase }) => backend !== `127.0.0.1:${ports[0]}` || phase !== 'relay'),
    [],
    'all of them were joined to the killed process',
  );
  t.ok(failed <= 20, 'at most one per client');
  t.ok(reachedVictim.size > takenBefore + 50, 'and the restarted backend takes its share again');
  if (victim !== undefined) await ended(victim);
});
