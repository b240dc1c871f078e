/**
 * `lb4 demo`: three embedded HTTP backends, a balancer before them, and a line that shows where sessions go.
 *
 * Place: what `npm start` runs. It uses the library as any program would.
 */
import { Lb4Error } from '../errors.ts';
import { createLoadBalancer, type LoadBalancer } from '../load-balancer.ts';
import { startDemoBackend, type DemoBackend } from './demo-backends.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { onSignals } from './signals.ts';

/** On a terminal the line is rewritten in place; elsewhere a new one is printed when something has changed. */
const REFRESH_MS = { terminal: 200, elsewhere: 2_000 };
const DRAIN_MS = 2_000;
/** Equally long, so that all answers are: ab counts an answer of another length as a failure. */
const DEMO_BACKENDS = ['alpha', 'bravo', 'delta'];

export async function demo({ listen, strategy }: { listen: string; strategy: string }): Promise<ExitCode> {
  const backends = await Promise.all(DEMO_BACKENDS.map(startDemoBackend));
  let balancer: LoadBalancer | undefined;
  try {
    balancer = createLoadBalancer({
      // Workers take turns each for itself; here `roundrobin` is to look like what it is.
      workers: 1,
      listeners: [{ name: 'demo', bind: [listen], upstream: 'demo', whenUnavailable: 'http503' }],
      upstreams: [{ name: 'demo', strategy, backends: backends.map(({ address }) => address) }],
    });
    await balancer.start();
    const [address = ''] = balancer.snapshot().listeners[0]?.addresses ?? [];
    process.stdout.write(introduction(address, strategy, backends));
    await untilSignalled(balancer, backends);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof Lb4Error)) throw error;
    process.stderr.write(`lb4: ${error.message}\n`);
    if (error.code !== 'LB4_LISTEN_FAILED') return EXIT.usage;
    process.stderr.write('lb4: try another address: lb4 demo --listen 127.0.0.1:8081\n');
    return EXIT.cannotBind;
  } finally {
    await balancer?.stop();
    for (const backend of backends) backend.close();
  }
}

async function untilSignalled(balancer: LoadBalancer, backends: readonly DemoBackend[]): Promise<void> {
  const terminal = process.stdout.isTTY;
  let shown = '';
  const show = (): void => {
    const line = liveLine(balancer, backends);
    if (line === shown) return;
    shown = line;
    process.stdout.write(terminal ? `\r\x1b[K${line}` : `${line}\n`);
  };
  show();
  const timer = setInterval(show, terminal ? REFRESH_MS.terminal : REFRESH_MS.elsewhere);
  let unsubscribe = (): void => undefined;
  await new Promise<void>(resolve => {
    unsubscribe = onSignals({
      drain: () => void balancer.drain(DRAIN_MS).then(resolve),
      stop: resolve,
      hangUp: resolve,
    });
  });
  unsubscribe();
  clearInterval(timer);
  process.stdout.write(terminal ? '\n' : '');
}

function introduction(address: string, strategy: string, backends: readonly DemoBackend[]): string {
  const url = `http://${address}/`;
  return [
    '',
    `  lb4 balances ${url} over three embedded backends, strategy ${strategy}:`,
    `  ${backends.map(({ name, address: backend }) => `${name} (${backend})`).join(', ')}`,
    '',
    '  Try, in another terminal:',
    `    curl ${url}                    who answers?`,
    `    curl ${url}slow                answers after 5 s: watch the live count`,
    `    ab -n 10000 -c 100 ${url}      a connection per request`,
    `    hey -n 10000 -c 100 ${url}     connections kept alive`,
    '',
    '  Ctrl-C ends it.',
    '',
    '',
  ].join('\n');
}

function liveLine(balancer: LoadBalancer, backends: readonly DemoBackend[]): string {
  const { upstreams, sessionsEver } = balancer.snapshot();
  const live = new Map(upstreams[0]?.backends.map(({ backend, sessions }) => [backend, sessions]));
  const parts = backends.map(
    backend => `${backend.name} ${live.get(backend.address) ?? 0} live, ${backend.served()} served`,
  );
  return `  ${parts.join(' · ')} · ${sessionsEver} sessions`;
}
