/** `lb4 top` in a real terminal: it shows what is true, follows the terminal's size, and gives the terminal back. */
import t, { type Test } from 'tap';
import type { StatusAnswer } from '../../src/cli/client/status.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { startCommandLine } from '../harness/command-line.ts';
import { LB4, startLb4, type Lb4Process } from '../harness/lb4-process.ts';
import { inTerminal, skipWithoutTerminal, type PseudoTerminal } from '../harness/pseudo-terminal.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { TerminalPicture } from '../harness/terminal-picture.ts';
import { until } from '../harness/until.ts';

const commandLine = startCommandLine(t);
const skip = skipWithoutTerminal();
const SESSIONS = 7;
/** Back to the first screen with a cursor. */
const GIVEN_BACK = /\u001b\[\?25h\u001b\[\?1049l/;

interface Running {
  readonly lb4: Lb4Process;
  readonly env: NodeJS.ProcessEnv;
  /** The address of the backend that is up, and of the one that is down. */
  readonly up: string;
  readonly down: string;
}

/** An lb4 with a backend that is up, one that is down, and some sessions. */
async function start(t: Test, name: string): Promise<Running> {
  const env = {
    ...process.env,
    ...{
      XDG_RUNTIME_DIR: temporaryFolder(t),
      LB4_NAME: `test-${process.pid}-${name}`,
      LB4_ADMIN_SOCKET: 'auto',
    },
    ...{ LC_ALL: 'C.UTF-8', TERM: 'xterm', NO_COLOR: '' },
  };
  const backend = await startBackend(t, scripts.echo);
  const [up, down] = [formatAddress(backend.address), '127.0.0.1:1'];
  const lb4 = await startLb4(
    t,
    ['-b', `${up},${down}`, '--health-interval', '100ms', '--drain-timeout', '0s'],
    { env },
  );
  await lb4.line(({ event, address }) => event === 'adminListening' && String(address).startsWith('unix:'));
  await lb4.line(({ event }) => event === 'backendDown');
  for (let i = 0; i < SESSIONS; i++) {
    const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
    await client.send('x');
    await client.untilText('x');
  }
  return { lb4, env, up, down };
}

function top(
  { env }: Running,
  t: Test,
  more: { args?: string[]; env?: NodeJS.ProcessEnv; width?: number } = {},
): PseudoTerminal {
  const command = [process.execPath, LB4, 'top', '--every', '100ms', ...(more.args ?? [])];
  return inTerminal(t, command, { env: { ...env, ...more.env }, width: more.width ?? 80 });
}

/** The picture that a terminal of this size has after what was written since its last whole one. */
function pictureOf(terminal: PseudoTerminal, width = 80, height = 24): TerminalPicture {
  const picture = new TerminalPicture(width, height);
  const written = terminal.written();
  const from = written.lastIndexOf('\u001b[2J');
  // The end may be on its way still.
  if (from >= 0) picture.write(written.slice(from).replace(/\u001b(\[[0-9;?]*)?$/, ''));
  return picture;
}

void t.test(
  'it shows what is true, filters, follows the size and gives the terminal back at q',
  { skip },
  async t => {
    const running = await start(t, 'top');
    const terminal = top(running, t);
    await until('it has drawn a rate', () => / 0 new\/s/.test(pictureOf(terminal).text));
    const { stdout } = await commandLine(['status', '--json'], running.env);
    const truth = JSON.parse(stdout) as StatusAnswer;
    const { lines, text } = pictureOf(terminal);
    t.match(text, new RegExp(`^lb4 ${truth.name} +running for \\d+s, ${truth.engine}, .* pid ${truth.pid} `));
    t.match(text, /^! 1 of 2 backends down since \d\d:\d\d, panic off, clients unaffected$/m);
    t.match(
      text,
      new RegExp(
        `^sessions ${SESSIONS} of ${truth.maxSessions?.toLocaleString('en-US')} .* ever ${SESSIONS}$`,
        'm',
      ),
    );
    t.match(text, new RegExp(`^✓ ${running.up} +up .* ${SESSIONS} `, 'm'));
    const at = lines.findIndex(line => line.startsWith(`✗ ${running.down} `));
    t.match(lines[at], / down +\d+s /);
    const why = truth.upstreams[0]?.backends[1]?.why ?? '';
    t.equal(
      lines
        .slice(at + 1, at + 3)
        .join(' ')
        .replaceAll(/\s+/g, ' ')
        .trim(),
      `→ ${why}`,
    );

    // Only figures change, so little is written: a look every 100 ms, and the age of a state every second.
    const before = terminal.written().length;
    const client = await connectClient(t, { kind: 'tcp', host: running.lb4.host, port: running.lb4.port });
    await client.send('x');
    await until('the new session is there', () =>
      pictureOf(terminal).text.includes(`sessions ${SESSIONS + 1} `),
    );
    t.ok(terminal.written().length - before < 1_500, String(terminal.written().length - before));

    terminal.type('/down\r');
    await until('only the one that is down', () => !pictureOf(terminal).text.includes(`✓ ${running.up}`));
    terminal.type('\u001b');
    await until('both', () => pictureOf(terminal).text.includes(`✓ ${running.up}`));
    terminal.type('c');
    await until('the other columns', () => /FAILED CONNECT/.test(pictureOf(terminal).text));
    await client.send('y'.repeat(5_000));
    const row = () => new RegExp(`^✓ ${running.up} +up +(.*)$`, 'm').exec(pictureOf(terminal).text)?.[1];
    await until('its bytes are shown', () => /^\d+ +\S+ +[\d.]+[kM] +0% +[\d.]+ms$/.test(row() ?? ''));
    t.match(pictureOf(terminal).text, /^traffic .* failed - {3}connect [\d.]+ms, 99% in [\d.]+ms$/m);
    await until('and no more', () => /^\d+ +0\S* +0 +0% +[\d.]+ms$/.test(row() ?? ''));
    terminal.type('c');
    terminal.resize(120, 40);
    await until('the wide picture', () => /MINUTE/.test(pictureOf(terminal, 120, 40).text));
    t.match(pictureOf(terminal, 120, 40).lines[39], /^ q quit/);
    terminal.type('q');
    t.equal(await terminal.ended, 0);
    t.match(terminal.written(), GIVEN_BACK);
    t.notMatch(terminal.written().split('\u001b[?1049l')[1] ?? '', /\S/, 'nothing is left on the screen');
    t.equal(await running.lb4.stop(), 0);
  },
);

void t.test(
  'a signal and a defect give the terminal back, and end it as they end any program',
  { skip },
  async t => {
    const running = await start(t, 'top-ends');
    // The shell behind it sees how the terminal was left.
    const settings = 'stty -a | grep -o -e "-\\?icanon" -e "-\\?echo\\b"';
    const shell = (command: string) => [
      'bash',
      '-c',
      `${command}; code=$?; echo "[code $code]"; ${settings}; echo "[over]"`,
    ];
    const own = `"${process.execPath}" "${LB4}" top`;
    const cases = [
      { end: 'SIGTERM', code: 143, command: own, env: {} },
      { end: 'SIGHUP', code: 129, command: own, env: {} },
      {
        ...{ end: 'a defect', code: 1, command: own },
        env: {
          NODE_OPTIONS: `--import "data:text/javascript,process.once('SIGUSR2',()=>setTimeout(()=>{throw new Error('boom')}))"`,
        },
      },
    ];
    for (const { end, code, command, env } of cases) {
      const terminal = inTerminal(
        t,
        shell(`${command} & echo "[pid $!]"; fg >/dev/null`.replace(/^/, 'set -m; ')),
        {
          env: { ...running.env, ...env },
        },
      );
      await until('it is drawn', () => terminal.written().includes('q quit'));
      const pid = Number(/\[pid (\d+)\]/.exec(terminal.written())?.[1]);
      process.kill(pid, end === 'a defect' ? 'SIGUSR2' : end);
      await until(`${end} has ended it`, () => terminal.written().includes('[over]'));
      const [, after = ''] = terminal.written().split('\u001b[?1049l');
      t.match(terminal.written(), GIVEN_BACK, end);
      t.match(after, `[code ${code}]`, end);
      t.match(after.replaceAll(/\s+/g, ' '), / icanon echo \[over\]/, `${end}: lines and echo are on again`);
      if (end === 'a defect') t.match(after, /boom/, 'the line of the defect is on the first screen');
    }
    t.equal(await running.lb4.stop(), 0);
  },
);

void t.test('Ctrl-Z gives the terminal back to the shell, and fg takes it again', { skip }, async t => {
  const running = await start(t, 'top-stops');
  const terminal = inTerminal(t, ['bash', '--norc', '--noprofile', '-i'], { env: running.env });
  await until('there is a shell', () => /[#$] $/.test(terminal.written()));
  terminal.type(`"${process.execPath}" "${LB4}" top --every 100ms\n`);
  await until('it is drawn', () => terminal.written().includes('q quit'));
  terminal.type('\u001a');
  await until('the shell is back', () => /Stopped/.test(terminal.written().split('\u001b[?1049l')[1] ?? ''));
  const stopped = terminal.written();
  t.match(stopped, GIVEN_BACK);
  terminal.type('stty -a | grep -o -e "-\\?icanon" -e "-\\?echo\\b" | tr "\\n" " "; echo "[over]"\n');
  // The line that is typed is shown as well, so the answer is the last of it.
  await until('the settings', () => /-?icanon -?echo \[over\]/.test(terminal.written()));
  t.match(terminal.written(), /[^-]icanon echo \[over\]/, 'lines and echo are on again');
  const before = terminal.written().length;
  terminal.type('fg\n');
  const after = () => terminal.written().slice(before);
  await until('it is drawn again', () => /\u001b\[\?1049h[^]*q quit/.test(after()));
  t.match(pictureOf(terminal).text, running.up, 'the picture is whole');
  terminal.type('q');
  await until('the shell is back', () => /\u001b\[\?1049l[^]*[#$] $/.test(after()));
  terminal.type('echo "[code $?]"; exit\n');
  await terminal.ended;
  t.match(after(), /\r\[code 0\]/);
});

void t.test('hundreds of changes of the size end with a picture of the last one', { skip }, async t => {
  const running = await start(t, 'top-sizes');
  const terminal = top(running, t);
  await until('it is drawn', () => terminal.written().includes('q quit'));
  for (let i = 0; i < 300; i++) terminal.resize(40 + (i % 90), 8 + (i % 40));
  terminal.resize(100, 30);
  await until('it has that size', () => {
    try {
      const { lines, text } = pictureOf(terminal, 100, 30);
      return /^ q quit/.test(lines[29] ?? '') && text.includes(`✓ ${running.up}`);
    } catch {
      // The last whole picture is one of a larger size.
      return false;
    }
  });
  terminal.type('q');
  t.equal(await terminal.ended, 0);
});

void t.test(
  'while lb4 does not answer, the last picture stays with the reason, and keys work',
  { skip },
  async t => {
    const running = await start(t, 'top-gone');
    const terminal = top(running, t, { env: { NO_COLOR: '1' } });
    await until('it is drawn', () => terminal.written().includes('q quit'));
    process.kill(running.lb4.pid, 'SIGKILL');
    await until('the reason', () =>
      /^✗ no answer for \d+s: (no lb4|cannot ask) /m.test(pictureOf(terminal).text),
    );
    t.match(pictureOf(terminal).text, running.up);
    t.notMatch(terminal.written(), /\u001b\[[0-9;]*3\dm/, 'NO_COLOR: there are no colours');
    terminal.type('?');
    await until('the help', () => pictureOf(terminal).text.includes('Ctrl-Z'));
    terminal.type('\u0003');
    t.equal(await terminal.ended, 0);
  },
);

void t.test('--once and a pipe get plain text; without an lb4 it is one line and exit 1', async t => {
  const running = await start(t, 'top-once');
  for (const args of [['top', '--once'], ['top'], ['top', '--charset', 'ascii']]) {
    const { code, stdout } = await commandLine(args, running.env);
    t.equal(code, 0);
    t.match(stdout, running.down);
    t.notMatch(stdout.replaceAll('\n', ''), /\p{C}/u, 'no escape sequence');
    if (args.includes('ascii')) t.match(stdout, /^[\n -~]*$/);
  }
  t.equal(await running.lb4.stop(), 0);
  const gone = await commandLine(['top', '--once'], running.env);
  t.same([gone.code, gone.stdout], [1, '']);
  t.match(gone.stderr, /^lb4: no lb4 named [^\n]*\n$/);
  t.equal((await commandLine(['top', '--charset', 'x'], running.env)).code, 2);
});
