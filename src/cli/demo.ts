/**
 * `lb4 demo`: three embedded HTTP backends, a balancer before them, its dashboard, and keys to break a backend.
 *
 * Place: what `npm start` runs. It uses the library as any program would.
 */
import { Lb4Error, wordsOf } from '../errors.ts';
import { createLoadBalancer, type LoadBalancer } from '../load-balancer.ts';
import { counted } from '../support/counted.ts';
import { printable } from '../support/printable.ts';
import { startDemoBackend, type DemoBackend } from './demo-backends.ts';
import { openDashboard, type DemoDashboard } from './demo-dashboard.ts';
import { readKeys } from './demo-keys.ts';
import { demoLine, type DemoStatus } from './demo-line.ts';
import { DemoLoad } from './demo-load.ts';
import { DemoScreen } from './demo-screen.ts';
import { brokenWords, calledAs, introduction, SHOWN_EVENTS } from './demo-words.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import type { Signals } from './signals.ts';
import { outliveTerminals } from './terminals.ts';

/** On a terminal the line is rewritten in place; elsewhere a new one is printed when something has changed. */
const REFRESH_MS = { terminal: 200, elsewhere: 2_000 };
const DRAIN_MS = 2_000;
/** Of equal length, so that all answers are: ab counts an answer of another length as a failure. */
const DEMO_BACKENDS = ['alpha', 'bravo', 'delta'];

export interface DemoOptions {
  readonly listen: string;
  readonly strategy: string;
  /** Of the dashboard; undefined: the usual one, or one that is free. */
  readonly admin?: string;
}

export async function demo(options: DemoOptions, signals: Signals): Promise<ExitCode> {
  const { listen, strategy } = options;
  const backends = await Promise.all(DEMO_BACKENDS.map(startDemoBackend));
  let balancer: LoadBalancer | undefined;
  let dashboard: DemoDashboard | undefined;
  // A terminal or a pipe that takes nothing must not stop the demo.
  outliveTerminals();
  const screen = new DemoScreen();
  try {
    balancer = createLoadBalancer({
      listeners: [{ name: 'demo', bind: [listen], upstream: 'demo', whenUnavailable: 'http503' }],
      upstreams: [
        {
          ...{ name: 'demo', strategy, health: { interval: '1s' } },
          backends: backends.map(({ address }) => address),
        },
      ],
    });
    await balancer.start();
    dashboard = await openDashboard(balancer, options.admin);
    const [address = ''] = balancer.snapshot().listeners[0]?.addresses ?? [];
    const load = new DemoLoad(`http://${address}/`);
    const hasKeys = readKeys(
      key => press(key, { backends, load, screen }),
      () => screen.again(),
    );
    screen.say(introduction({ address, strategy, backends, dashboard, hasKeys }));
    tellEvents(balancer, backends, screen);
    await untilSignalled(balancer, backends, { signals, screen, load });
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof Lb4Error)) throw error;
    return failed(error, dashboard === undefined && balancer?.state === 'running');
  } finally {
    signals.over();
    dashboard?.close();
    await balancer?.stop();
    for (const backend of backends) backend.close();
    await screen.end();
  }
}

/** @param isOfDashboard the balancer's own address is not the problem */
function failed(error: Lb4Error, isOfDashboard: boolean): ExitCode {
  for (const line of error.message.split('\n')) process.stderr.write(`lb4: ${printable(line)}\n`);
  if (error.code !== 'LB4_LISTEN_FAILED') return EXIT.usage;
  const instead = isOfDashboard ? '--admin 127.0.0.1:9091' : '--listen 127.0.0.1:8081';
  process.stderr.write(`lb4: try another address: ${calledAs(`demo ${instead}`)}\n`);
  return EXIT.cannotBind;
}

function press(
  key: string,
  { backends, load, screen }: { backends: readonly DemoBackend[]; load: DemoLoad; screen: DemoScreen },
): void {
  if (key === 'q') process.kill(process.pid, 'SIGINT');
  if (key === 'l')
    screen.tell(load.toggle() ? 'load: fifty sessions a second; l switches it off' : 'no load any more');
  const backend = /^[1-9]$/.test(key) ? backends[Number(key) - 1] : undefined;
  void backend?.toggle().then(
    () => screen.tell(brokenWords(backend, key)),
    (error: unknown) => screen.tell(`${backend.name} cannot be repaired: ${wordsOf(error)}`),
  );
}

/** What becomes of backends, so that a reader sees why sessions go elsewhere. */
function tellEvents(balancer: LoadBalancer, backends: readonly DemoBackend[], screen: DemoScreen): void {
  for (const name of Object.keys(SHOWN_EVENTS) as (keyof typeof SHOWN_EVENTS)[])
    balancer.on(name, ({ backend: address, reason }) => {
      const shown = backends.find(backend => backend.address === address)?.name ?? address;
      screen.tell(`${shown} is ${SHOWN_EVENTS[name]}: ${reason}`);
    });
}

async function untilSignalled(
  balancer: LoadBalancer,
  backends: readonly DemoBackend[],
  { signals, screen, load }: { signals: Signals; screen: DemoScreen; load: DemoLoad },
): Promise<void> {
  const { stdout } = process;
  const show = (): void => {
    // Some terminals report 0 as their width.
    screen.show(demoLine(statusOf(balancer, backends), stdout.isTTY ? stdout.columns || 80 : Infinity));
  };
  show();
  const timer = setInterval(show, stdout.isTTY ? REFRESH_MS.terminal : REFRESH_MS.elsewhere);
  await new Promise<void>(resolve => {
    signals.handle({
      drain: () => {
        load.stop();
        const { sessions } = balancer.snapshot();
        if (sessions > 0)
          screen.tell(
            `draining: ${counted(sessions, 'session')}, up to ${DRAIN_MS / 1000} s; Ctrl-C again ends at once`,
          );
        void balancer.drain(DRAIN_MS).then(resolve);
      },
      stop: resolve,
      hangUp: resolve,
      report: () => screen.again(),
      upgrade: () => undefined,
    });
    // The demo is only its display, so it ends when that breaks.
    screen.onBroken(resolve);
  });
  clearInterval(timer);
  load.stop();
}

function statusOf(balancer: LoadBalancer, backends: readonly DemoBackend[]): DemoStatus {
  const { upstreams, sessionsEver } = balancer.snapshot();
  const live = new Map(upstreams[0]?.backends.map(({ backend, sessions }) => [backend, sessions]));
  return {
    backends: backends.map(backend => ({
      name: backend.name,
      live: live.get(backend.address) ?? 0,
      served: backend.served(),
      isBroken: backend.isBroken,
    })),
    sessionsEver,
  };
}
