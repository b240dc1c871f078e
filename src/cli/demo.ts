/**
 * `lb4 demo`: three embedded HTTP backends, a balancer before them, and a line that shows where sessions go.
 *
 * Place: what `npm start` runs. It uses the library as any program would.
 */
import { performance } from 'node:perf_hooks';
import { Lb4Error } from '../errors.ts';
import { createLoadBalancer, type LoadBalancer } from '../load-balancer.ts';
import { LineBuffer } from '../observe/line-buffer.ts';
import { openOutput } from '../observe/output.ts';
import { counted } from '../support/counted.ts';
import { printable } from '../support/printable.ts';
import { setKeepingTimer } from '../support/timer.ts';
import { outliveTerminals } from './terminals.ts';
import { demoLine, type DemoStatus } from './demo-line.ts';
import { startDemoBackend, type DemoBackend } from './demo-backends.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Signals } from './signals.ts';

/** On a terminal the line is rewritten in place; elsewhere a new one is printed when something has changed. */
const REFRESH_MS = { terminal: 200, elsewhere: 2_000 };
const DRAIN_MS = 2_000;
const LAST_WORDS_MS = 500;
/** Of equal length, so that all answers are: ab counts an answer of another length as a failure. */
const DEMO_BACKENDS = ['alpha', 'bravo', 'delta'];

export async function demo(
  { listen, strategy }: { listen: string; strategy: string },
  signals: Signals,
): Promise<ExitCode> {
  const backends = await Promise.all(DEMO_BACKENDS.map(startDemoBackend));
  let balancer: LoadBalancer | undefined;
  // A terminal or a pipe that takes nothing must not stop the demo.
  outliveTerminals();
  const screen = openScreen();
  try {
    balancer = createLoadBalancer({
      listeners: [{ name: 'demo', bind: [listen], upstream: 'demo', whenUnavailable: 'http503' }],
      upstreams: [{ name: 'demo', strategy, backends: backends.map(({ address }) => address) }],
    });
    await balancer.start();
    const [address = ''] = balancer.snapshot().listeners[0]?.addresses ?? [];
    screen.write(introduction(address, strategy, backends));
    await untilSignalled(balancer, backends, { signals, screen });
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof Lb4Error)) throw error;
    for (const line of error.message.split('\n')) process.stderr.write(`lb4: ${printable(line)}\n`);
    if (error.code !== 'LB4_LISTEN_FAILED') return EXIT.usage;
    process.stderr.write(`lb4: try another address: ${calledAs()} --listen 127.0.0.1:8081\n`);
    return EXIT.cannotBind;
  } finally {
    signals.over();
    await balancer?.stop();
    for (const backend of backends) backend.close();
    await screen.end();
  }
}

/** The command that was typed to start the demo. */
function calledAs(): string {
  return process.env['npm_lifecycle_event'] === 'start' ? 'npm start -- demo' : 'lb4 demo';
}

async function untilSignalled(
  balancer: LoadBalancer,
  backends: readonly DemoBackend[],
  { signals, screen }: { signals: Signals; screen: Screen },
): Promise<void> {
  const { stdout } = process;
  const erase = stdout.isTTY ? '\r\x1b[K' : '';
  let shown = '';
  const show = (): void => {
    // Some terminals report 0 as their width.
    const line = demoLine(statusOf(balancer, backends), stdout.isTTY ? stdout.columns || 80 : Infinity);
    if (line === shown) return;
    shown = line;
    screen.write(stdout.isTTY ? `${erase}${line}` : `${line}\n`);
  };
  show();
  const timer = setInterval(show, stdout.isTTY ? REFRESH_MS.terminal : REFRESH_MS.elsewhere);
  await new Promise<void>(resolve => {
    const showAgain = (): void => {
      shown = '';
      show();
    };
    signals.handle({
      drain: () => {
        const { sessions } = balancer.snapshot();
        if (sessions > 0) {
          screen.write(
            `${erase}  draining: ${counted(sessions, 'session')}, up to ${DRAIN_MS / 1000} s; Ctrl-C again ends at once\n`,
          );
          showAgain();
        }
        void balancer.drain(DRAIN_MS).then(resolve);
      },
      stop: resolve,
      hangUp: resolve,
      report: showAgain,
      upgrade: () => undefined,
    });
    // The demo is only its display, so it ends when that breaks.
    screen.onBroken(resolve);
  });
  clearInterval(timer);
  screen.write(stdout.isTTY ? '\n' : '');
}

interface Screen {
  write(text: string): void;
  onBroken(callback: () => void): void;
  /** Writes what is left, if it can be written soon. */
  end(): Promise<void>;
}

/** Standard output; a write does not wait for its reader. */
function openScreen(): Screen {
  let isBroken = false;
  let onBroken = (): void => undefined;
  const lines = new LineBuffer(openOutput(1), {
    now: () => performance.now(),
    setTimer: setKeepingTimer,
    // A line about the present is useless later.
    lossLine: () => '',
    onBroken: () => {
      isBroken = true;
      onBroken();
    },
  });
  return {
    write: text => lines.write(text),
    onBroken: callback => {
      onBroken = callback;
      if (isBroken) callback();
    },
    end: async () => {
      if (!(await lines.end(LAST_WORDS_MS)) && !isBroken) lines.endProcess(EXIT.ok);
    },
  };
}

function introduction(address: string, strategy: string, backends: readonly DemoBackend[]): string {
  const url = `http://${address}/`;
  return [
    '',
    `  lb4 balances ${url}, strategy ${printable(strategy)}, over three backends:`,
    `  ${backends.map(({ name, address: backend }) => `${name} (${backend})`).join(', ')}`,
    '',
    '  Try, in another terminal:',
    `    curl ${url}                 who answers?`,
    `    curl ${url}slow             answers after 5 s`,
    `    ab -n 10000 -c 100 ${url}   a connection per request`,
    `    hey -n 10000 -c 100 ${url}  connections kept alive`,
    '',
    '  Ctrl-C ends it.',
    '',
    '',
  ].join('\n');
}

function statusOf(balancer: LoadBalancer, backends: readonly DemoBackend[]): DemoStatus {
  const { upstreams, sessionsEver } = balancer.snapshot();
  const live = new Map(upstreams[0]?.backends.map(({ backend, sessions }) => [backend, sessions]));
  return {
    backends: backends.map(backend => ({
      name: backend.name,
      live: live.get(backend.address) ?? 0,
      served: backend.served(),
    })),
    sessionsEver,
  };
}
