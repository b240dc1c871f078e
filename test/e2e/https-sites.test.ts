/**
 * HTTPS sites through lb4 with programs that others wrote: curl, openssl and Chromium, to nginx, HAProxy and Node, where
 * TLS ends at lb4, ends and begins anew, or passes through.
 */
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createLoadBalancer, type ConfigInput } from '../../src/index.ts';
import { openPage, startBrowser } from '../harness/browser.ts';
import { FULL } from '../harness/full-load.ts';
import { startNginxSite, startNodeSite, startPlainSite } from '../harness/https-sites.ts';
import { freePort, runProgram, skipWithout } from '../harness/programs.ts';
import { withoutLibc } from '../harness/real-libc.ts';
import { certificateFor, type Certificate } from '../src/control/health/certificate.ts';

const skip = skipWithout('haproxy', 'nginx', 'curl', 'openssl', 'chromium');
t.setTimeout(180_000);

type Listener = ConfigInput['listeners'][number];
type Upstream = ConfigInput['upstreams'][number];

interface Way {
  readonly name: string;
  readonly backendPort: number;
  readonly listener?: Partial<Listener>;
  readonly upstream?: Partial<Upstream>;
  /** Whose certificate clients see. */
  readonly seen: Certificate;
  /** What answers by HTTP/1.1, and by HTTP/2. */
  readonly says: readonly [string, string];
}

function filesOf({ path, folder }: Certificate) {
  return { cert: path, key: join(folder, 'key.pem') };
}

/** Threads of both engines beside each other, and all in the main thread. */
const PLACES = [
  { engine: 'auto', workers: 2 },
  { engine: 'node', workers: 0 },
  ...(FULL ? [{ engine: 'auto', workers: 0 } as const, { engine: 'node', workers: 1 } as const] : []),
] as const;

for (const { engine, workers } of PLACES)
  void t.test(
    `${engine}, ${workers} workers: curl, openssl and Chromium reach sites in all three ways`,
    { skip: skip || (engine === 'auto' && withoutLibc) },
    async t => {
      const edge = await certificateFor(t, 'DNS:localhost,DNS:site.test');
      const inner = await certificateFor(t, 'DNS:backend.test');
      const ofSite = await certificateFor(t, 'DNS:localhost,DNS:site.test');
      const [plain, nginx, node, passed] = [
        await startPlainSite(t),
        await startNginxSite(t, inner),
        await startNodeSite(t, inner),
        await startNginxSite(t, ofSite),
      ];
      const ends = { tls: { ...filesOf(edge), alpn: ['h2', 'http/1.1'] } };
      const anew = { tls: { serverName: 'backend.test', ca: inner.path } };
      const ways: readonly Way[] = [
        {
          ...{ name: 'ends', backendPort: plain, listener: ends, seen: edge },
          says: ['haproxy HTTP/1.1', 'haproxy HTTP/2.0'],
        },
        {
          ...{ name: 'anew-nginx', backendPort: nginx, listener: ends, upstream: anew, seen: edge },
          says: ['nginx HTTP/1.1', 'nginx HTTP/2.0'],
        },
        {
          ...{ name: 'anew-node', backendPort: node, listener: ends, upstream: anew, seen: edge },
          says: ['node HTTP/1.1', 'node HTTP/2.0'],
        },
        {
          ...{ name: 'passes', backendPort: passed, seen: ofSite },
          says: ['nginx HTTP/1.1', 'nginx HTTP/2.0'],
        },
      ];
      const ports = new Map<string, number>();
      for (const { name } of ways) ports.set(name, await freePort());
      const balancer = createLoadBalancer({
        ...{ engine, workers },
        listeners: ways.map(({ name, listener }) => ({
          ...{ name, bind: `127.0.0.1:${ports.get(name)}`, upstream: name },
          ...listener,
        })),
        // A check must not be what makes a session work.
        upstreams: ways.map(({ name, backendPort, upstream }) => ({
          ...{ name, health: 'off', backends: [`127.0.0.1:${backendPort}`] },
          ...upstream,
        })),
      });
      t.teardown(() => balancer.stop());
      await balancer.start();
      for (const way of ways) await speaksTo(t, way, ports.get(way.name) ?? 0);
      await browses(t, ways, ports);
    },
  );

async function speaksTo(t: Test, { name, seen, says: [http1, http2] }: Way, port: number): Promise<void> {
  // The certificate is verified, so that of another way would be an error.
  const curl = (...args: readonly string[]) =>
    runProgram('curl', [
      ...[
        '-sS',
        '--max-time',
        '20',
        '--cacert',
        seen.path,
        '--connect-to',
        `site.test:443:127.0.0.1:${port}`,
      ],
      ...[...args, 'https://site.test/'],
    ]);
  t.match(await curl(), { stdout: `${http2}\n`, stderr: '' }, `${name}: curl, which offers both`);
  t.match(await curl('--http1.1'), { stdout: `${http1}\n`, stderr: '' }, `${name}: curl with HTTP/1.1`);
  t.match(await curl('--tls-max', '1.2'), { stdout: `${http2}\n`, stderr: '' }, `${name}: curl with TLS 1.2`);

  const verify = ['-CAfile', seen.path, '-verify_return_error', '-verify_hostname', 'site.test'];
  const to = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'site.test', ...verify];
  const request = 'GET / HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n';
  const openssl = await runProgram('openssl', [...to, '-quiet', '-alpn', 'http/1.1'], { input: request });
  t.match(openssl.stdout, http1, `${name}: openssl s_client`);
}

async function browses(t: Test, ways: readonly Way[], ports: ReadonlyMap<string, number>): Promise<void> {
  const browser = await startBrowser(t);
  const { page } = await openPage(t, browser, { ignoreHTTPSErrors: true });
  for (const { name, says } of ways) {
    const response = await page.goto(`https://localhost:${ports.get(name)}/`);
    t.equal(await response?.text(), `${says[1]}\n`, `${name}: Chromium`);
    const protocol = await page.evaluate<string>(
      "performance.getEntriesByType('navigation')[0].nextHopProtocol",
    );
    t.equal(protocol, 'h2', `${name}: Chromium speaks HTTP/2`);
  }
}
