/** `lb4 demo`, the first thing a newcomer sees. */
import { spawn } from 'node:child_process';
import { constants, openSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { get } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import t from 'tap';
import { LB4 } from '../harness/lb4-process.ts';
import { ended, freePort, runProgram } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { SINKS } from '../harness/sinks.ts';
import { until } from '../harness/until.ts';

function fetchText(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent: false }, response => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

void t.test(
  'the demo prints what to try, balances over three named backends and shows where sessions went',
  async t => {
    const child = spawn(
      process.execPath,
      [LB4, 'demo', '--listen', '127.0.0.1:0', '--strategy', 'roundrobin'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    t.teardown(() => child.kill('SIGKILL'));
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    await until('the demo shows its live line', () => output.includes(' live, '));
    const url = /curl (http:\S+\/)\s/.exec(output)?.[1] ?? '';
    t.match(output, /ab -n \d+ -c \d+ http/);
    t.match(output, /hey -n \d+ -c \d+ http/);

    const answers = [];
    for (let i = 0; i < 6; i++) answers.push(await fetchText(url));
    t.equal(
      new Set(answers.map(({ length }) => length)).size,
      1,
      'equally long: ab counts other lengths as failures',
    );
    t.same(answers.sort(), [
      ...['Hello from alpha\n', 'Hello from alpha\n'],
      ...['Hello from bravo\n', 'Hello from bravo\n'],
      ...['Hello from delta\n', 'Hello from delta\n'],
    ]);
    await until('the line has counted them', () =>
      /alpha 0 live, 2 served · bravo 0 live, 2 served · delta 0 live, 2 served · 6 sessions/.test(output),
    );
    child.kill('SIGINT');
    t.same(await ended(child), { code: 0, signal: null });
  },
);

void t.test('an address in use: exit 69, and what to type instead, as it was typed', async t => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  for (const [npm, called] of [
    ['', 'lb4 demo'],
    ['start', 'npm start -- demo'],
  ] as const) {
    const { code, stderr } = await runProgram(
      process.execPath,
      [LB4, 'demo', '--listen', `127.0.0.1:${port}`],
      { env: { ...process.env, npm_lifecycle_event: npm } },
    );
    t.equal(code, 69);
    t.match(stderr, `\nlb4: try another address: ${called} --listen 127.0.0.1:8081\n`);
  }
});

void t.test(
  'Ctrl-C with a live session says at once what it waits for, and a second one ends at once',
  async t => {
    const child = spawn(process.execPath, [LB4, 'demo', '--listen', '127.0.0.1:0'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    await until('the demo shows its live line', () => output.includes(' live, '));
    const url = /curl (http:\S+\/)\s/.exec(output)?.[1] ?? '';
    const slow = fetchText(`${url}slow`).catch(() => 'reset');
    await until('the session is live', () => output.includes('1 live'));
    child.kill('SIGINT');
    await until('it says so', () =>
      output.includes('  draining: 1 session, up to 2 s; Ctrl-C again ends at once\n'),
    );
    t.equal(child.exitCode, null);
    const asked = performance.now();
    child.kill('SIGINT');
    t.same(await ended(child), { code: 0, signal: null });
    t.ok(performance.now() - asked < 1_500, 'it did not wait for the two seconds');
    t.equal(await slow, 'reset');
  },
);

for (const kind of SINKS.filter(({ name }) => name.includes('stands still'))) {
  void t.test(`${kind.name} does not stop the demo`, { skip: kind.skip() }, async t => {
    const sink = await kind.open(t);
    // Until nothing more fits.
    const fd = openSync(`/proc/self/fd/${sink.fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
    t.throws(
      () => {
        for (;;) writeSync(fd, 'x'.repeat(64));
      },
      { code: 'EAGAIN' },
    );
    const port = await freePort();
    const child = spawn(process.execPath, [LB4, 'demo', '--listen', `127.0.0.1:${port}`], {
      stdio: ['ignore', sink.fd, 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    for (;;) {
      const answer = await fetchText(`http://127.0.0.1:${port}/`).catch(() => '');
      if (answer.startsWith('Hello')) break;
      if (child.exitCode !== null) throw new Error(`the demo has ended with ${child.exitCode}`);
    }
    child.kill('SIGTERM');
    t.same(await ended(child), { code: 0, signal: null });
  });
}
