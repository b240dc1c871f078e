/** `lb4 demo` with its dashboard: a newcomer breaks a backend with a key and sees in the page what comes of it. */
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import t from 'tap';
import { askAdmin } from '../harness/admin.ts';
import { noBrowser, openPage, startBrowser } from '../harness/browser.ts';
import { LB4 } from '../harness/lb4-process.ts';
import { freePort, runProgram } from '../harness/programs.ts';
import { inTerminal, skipWithoutTerminal } from '../harness/pseudo-terminal.ts';
import '../harness/run-once.ts';
import { pause, until } from '../harness/until.ts';

const ANYWHERE = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0'];
const inDemo = (...args: string[]): string[] => [process.execPath, LB4, 'demo', ...args];

void t.test(
  'a key breaks a backend: page and terminal say which one is down, and why; the same key repairs it',
  { skip: noBrowser || skipWithoutTerminal() },
  async t => {
    const terminal = inTerminal(t, inDemo(...ANYWHERE), { width: 120 });
    const says = (text: string | RegExp): Promise<void> =>
      until(`it says ${String(text)}`, () =>
        typeof text === 'string' ? terminal.written().includes(text) : text.test(terminal.written()),
      );
    await says(' live, ');
    const [, url = ''] = /Dashboard: (http:\S+\/)/.exec(terminal.written()) ?? [];
    const [, bravo = ''] = /bravo \(([^)]+)\)/.exec(terminal.written()) ?? [];
    t.match(terminal.written(), '1 2 3   break alpha, bravo, delta; the same key repairs it');
    const { page, complaints } = await openPage(t, await startBrowser(t));
    await page.goto(url);
    const heading = page.getByRole('heading', { level: 1 });
    await heading.filter({ hasText: 'All 3 backends up, panic off, clients unaffected' }).waitFor();

    const reload = page.getByRole('button', { name: 'Reload configuration' });
    t.ok(await reload.isDisabled(), 'there is no file');
    t.equal(
      await page.locator('#configuration-file').innerText(),
      'No reload: lb4 demo has no configuration file',
    );
    t.equal(await reload.getAttribute('aria-describedby'), 'configuration-file');

    const pressed = Date.now();
    terminal.type('2');
    await says(/bravo \(127\.0\.0\.1:\d+\) is broken: it refuses connections\./);
    const row = page.getByRole('row').filter({ hasText: bravo });
    await row.filter({ hasText: 'down' }).waitFor();
    t.ok(Date.now() - pressed < 10_000, `it is seen after ${Date.now() - pressed} ms`);
    await heading.filter({ hasText: /^1 of 3 backends down since .*, clients unaffected$/ }).waitFor();
    t.match(await row.locator('.why').innerText(), /checks failed in a row.*refused/);
    await says(/bravo is down: \d health checks failed in a row, the last with: refused/);
    await says('bravo (broken) 0 live');

    terminal.type('2');
    await says('bravo is repaired.');
    await heading.filter({ hasText: 'All 3 backends up' }).waitFor();
    await says('bravo is up: ');

    terminal.type('l');
    await says('load: fifty sessions a second');
    await until('clients are served', () => /alpha \d+ live, [1-9]\d* served/.test(terminal.written()));
    terminal.type('l');
    await says('no load any more');
    t.same(complaints, []);
    terminal.type('q');
    t.equal(await terminal.ended, 0);
  },
);

void t.test(
  'Ctrl-Z stops it in a shell, keys are read again afterwards, and Ctrl-C ends it',
  { skip: skipWithoutTerminal() },
  async t => {
    const terminal = inTerminal(t, ['bash', '--norc', '-i']);
    terminal.type(`${inDemo(...ANYWHERE).join(' ')}\n`);
    await until('it runs', () => terminal.written().includes(' sessions'));
    terminal.type('\u001a');
    await until('the shell has it', () => terminal.written().includes('Stopped'));
    const since = terminal.written().length;
    terminal.type('echo it is $((40 + 2))\n');
    await until('the shell reads lines', () => terminal.written().slice(since).includes('it is 42'));
    terminal.type('fg; echo over $?\n');
    await until('it is back', () => terminal.written().slice(since).includes(' sessions'));
    terminal.type('1');
    await until('a key is read', () => /alpha \(\S+\) is broken/.test(terminal.written()));
    terminal.type('\u0003');
    await until('it has ended', () => terminal.written().includes('over 0'));
    terminal.type('exit\n');
    await terminal.ended;
  },
);

void t.test(
  'an arrow is no key of the demo, a key behind it is one, and Ctrl-\\ ends it',
  { skip: skipWithoutTerminal() },
  async t => {
    const terminal = inTerminal(t, inDemo(...ANYWHERE), { width: 120 });
    await until('it runs', () => terminal.written().includes(' live, '));
    terminal.type('\u001b[A');
    terminal.type('\u001b[1~2');
    await until('the key is read', () => /bravo \(\S+\) is broken/.test(terminal.written()));
    t.notMatch(terminal.written(), /alpha \(\S+\) is broken/, 'what is in a sequence is no key');
    terminal.type('\u001c');
    t.equal(await terminal.ended, 0);
  },
);

void t.test('an address for the dashboard that is taken, or that others can reach', async t => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.teardown(() => taken.close());
  await once(taken, 'listening');
  const at = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
  const args = [LB4, 'demo', '--listen', '127.0.0.1:0', '--admin'];
  const refused = await runProgram(process.execPath, [...args, at]);
  t.equal(refused.code, 69);
  t.match(refused.stderr, `cannot listen on ${at}`);
  t.match(refused.stderr, 'try another address: lb4 demo --admin 127.0.0.1:9091\n');
  const open = await runProgram(process.execPath, [...args, '0.0.0.0:0']);
  t.equal(open.code, 2);
  t.match(open.stderr, '--admin: expected an address that only this machine can reach');
});

void t.test(
  '9090 is taken: it says so, and takes a port that is free',
  { skip: skipWithoutTerminal() },
  async t => {
    // A demo of another test file may have it for a while; a program of this machine has it for long.
    for (let tries = 0, isTaken = false; tries < 50 && !isTaken; tries++) {
      const other = createServer().listen(9090, '127.0.0.1');
      t.teardown(() => other.close());
      isTaken = await new Promise<boolean>(resolve =>
        other.once('listening', () => resolve(true)).once('error', () => resolve(false)),
      );
      if (!isTaken) await pause(200);
    }
    const terminal = inTerminal(t, inDemo('--listen', `127.0.0.1:${await freePort()}`));
    await until('it runs', () => terminal.written().includes('live'));
    const [, port = '', note] =
      /Dashboard: http:\/\/127\.0\.0\.1:(\d+)\/ +(\(.*\))/.exec(terminal.written()) ?? [];
    t.equal(note, '(127.0.0.1:9090 is taken)');
    const answer = await askAdmin(
      { kind: 'tcp', host: '127.0.0.1', port: Number(port) },
      'GET',
      '/api/v1/status',
    );
    t.match(answer.json, { name: 'demo', state: 'running' });
    terminal.type('q');
    t.equal(await terminal.ended, 0);
  },
);
