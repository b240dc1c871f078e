/** Health checks as the command line starts them: what it asks for, and what becomes of a file that is not there. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { connectClient } from '../harness/client.ts';
import { startCommandLine } from '../harness/command-line.ts';
import { startLb4 } from '../harness/lb4-process.ts';

/** An HTTP backend whose answer to checks the test sets. */
async function startHttpBackend(t: Test, name: string) {
  const asked = new Set<string>();
  const backend = { address: '', name, status: 200, asked };
  const server = createServer((request, response) => {
    const { method, url, headers } = request;
    if (url === '/') response.end(name);
    else {
      asked.add(`${method} ${url} ${headers.host} ${headers['user-agent']}`);
      response.writeHead(backend.status).end('so it is');
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('not a TCP server');
  backend.address = `127.0.0.1:${bound.port}`;
  return backend;
}

void t.test(
  '--health http:/healthz asks over HTTP: a backend that answers 503 goes down, and says why',
  async t => {
    const one = await startHttpBackend(t, 'one');
    const two = await startHttpBackend(t, 'two');
    const lb4 = await startLb4(t, [
      ...['--health', 'http:/healthz', '--health-interval', '50ms', '-s', 'first'],
      ...['--backends', `${one.address},${two.address}`],
    ]);
    /** Which backend answers a client; its session is over then. */
    const ask = async (): Promise<string> => {
      const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
      await client.send('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
      await client.untilEnded();
      client.halfClose();
      return client.text.slice(client.text.indexOf('\r\n\r\n') + 4);
    };
    /** Resolves once a client is answered by this backend: workers hear of a change a moment after the log. */
    const untilServedBy = async (name: string): Promise<void> => {
      while ((await ask()) !== name);
    };
    const changed = (event: string) =>
      lb4.line(line => line.event === event && line['backend'] === one.address);
    t.equal(await ask(), 'one');
    one.status = 503;
    const down = await changed('backendDown');
    t.match(down, { level: 'warn', upstream: 'default', reason: /health checks? failed in a row.*503/ });
    await untilServedBy('two');
    one.status = 204;
    t.match(await changed('backendUp'), { level: 'info', reason: /health checks? passed/ });
    await untilServedBy('one');
    for (const { asked, address } of [one, two]) t.same([...asked], [`GET /healthz ${address} lb4`]);
    t.equal(lb4.lines.filter(({ event }) => event === 'backendDown').length, 1);
    t.equal(await lb4.stop(), 0);
  },
);

void t.test('a health.tls.ca that cannot be used: exit 78 with place, path, expected and found', async t => {
  const bad: [upstream: string, ca: string, found: string][] = [
    ['missing', 'certs/no-such.pem', 'ENOENT'],
    ['folder', 'certs', 'EISDIR'],
    ['text', 'certs/notes.txt', 'no certificate in it'],
    ['broken', 'certs/broken.pem', 'certificate 1 of 1 cannot be read'],
  ];
  const folder = t.testdir({
    'lb4.yaml': `
listeners:
${['fine', ...bad.map(([name]) => name)].map(name => `  - { name: ${name}, bind: "127.0.0.1:0", upstream: ${name} }`).join('\n')}
upstreams:
  - { name: fine, backends: ["127.0.0.1:81"], health: { type: http, tls: { verify: false } } }
${bad.map(([name, ca]) => `  - { name: ${name}, backends: ["127.0.0.1:81"], health: { type: tls, tls: { ca: ${ca} } } }`).join('\n')}
`,
    certs: {
      'notes.txt': 'no certificate, just notes',
      'broken.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    },
  });
  const path = join(folder, 'lb4.yaml');
  const lines = readFileSync(path, 'utf8').split('\n');
  const problems = bad.map(([name, ca, found], i) => {
    const line = lines.findIndex(text => text.includes(`name: ${name}, backends`));
    return (
      `${path}:${line + 1}:${(lines[line] ?? '').indexOf(`${ca} }`) + 1}  upstreams[${i + 1}].health.tls.ca: ` +
      `expected a PEM file with at least one certificate, got ${join(folder, ca)} (${found})\n`
    );
  });
  // From elsewhere: the file's own folder counts.
  const lb4 = startCommandLine(t);
  const run = await lb4(['run', '-c', path, '--log-format', 'text']);
  const check = await lb4(['check', '-c', path]);
  t.equal(run.code, 78);
  t.equal(run.stderr.replace(/^\S+Z /, ''), `error ${problems[0]}`, 'the first one ends it');
  t.equal(run.stdout, '');
  t.equal(check.code, 78);
  t.equal(check.stderr, problems.join(''), 'check tells all');
  t.equal(check.stdout, '');
});
