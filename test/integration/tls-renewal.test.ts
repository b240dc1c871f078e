/** A certificate that is renewed again and again under load: no handshake fails, and sessions that run are untouched. */
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import t from 'tap';
import { createLoadBalancer, type ConfigInput } from '../../src/index.ts';
import { FULL } from '../harness/full-load.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { pause, until } from '../harness/until.ts';
import { certificateFor, withoutOpenssl } from '../src/control/health/certificate.ts';

const RENEWALS = FULL ? 100 : 4;
/** New sessions each second. */
const RATE = FULL ? 100 : 40;
/** Between two renewals, at least. */
const SESSIONS_EACH = FULL ? 25 : 10;

t.setTimeout(600_000);

void t.test(
  `${RENEWALS} renewals under ${RATE} new sessions a second: 0 failed handshakes`,
  { skip: withoutOpenssl },
  async t => {
    const folder = temporaryFolder(t);
    // As certbot keeps them: links in `live` to files that are never changed.
    for (const name of ['archive', 'live']) mkdirSync(join(folder, name));
    const certificates = [
      await certificateFor(t, 'DNS:site.test'),
      await certificateFor(t, 'DNS:site.test'),
    ] as const;
    let renewals = 0;
    const renew = (): void => {
      const { cert, key } = certificates[renewals % 2 === 0 ? 0 : 1];
      renewals++;
      for (const [name, text] of [
        ['fullchain', cert],
        ['privkey', key],
      ] as const) {
        const file = join(folder, 'archive', `${name}${renewals}.pem`);
        writeFileSync(file, text, { mode: 0o600 });
        const link = join(folder, 'live', `${name}.pem`);
        symlinkSync(file, `${link}.new`);
        renameSync(`${link}.new`, link);
      }
    };
    renew();

    const backend = createServer(socket => {
      socket.on('error', () => undefined);
      socket.pipe(socket);
    });
    await new Promise<void>(resolve => backend.listen(0, '127.0.0.1', resolve));
    t.teardown(() => backend.close());
    const config: ConfigInput = {
      workers: 2,
      listeners: [
        {
          ...{ name: 'web', bind: '127.0.0.1:0', upstream: 'site' },
          tls: { cert: join(folder, 'live/fullchain.pem'), key: join(folder, 'live/privkey.pem') },
        },
      ],
      upstreams: [
        // A TCP server's address is no text.
        { name: 'site', health: 'off', backends: [`127.0.0.1:${(backend.address() as AddressInfo).port}`] },
      ],
    };
    const balancer = createLoadBalancer(config);
    t.teardown(() => balancer.stop());
    await balancer.start();
    const port = Number(/:(\d+)$/.exec(balancer.snapshot().listeners[0]?.addresses[0] ?? '')?.[1]);

    const failures: string[] = [];
    const seen = new Map<string, number>();
    const ca = certificates.map(({ cert }) => cert);
    const open = (): TLSSocket => {
      const socket = connect({ host: '127.0.0.1', port, servername: 'site.test', ca });
      socket.on('error', (error: Error) => failures.push(error.message));
      return socket;
    };
    /** A session that says something once a moment, and gets it back, until the end. */
    const long = open();
    let echoed = 0;
    long.on('data', (bytes: Buffer) => (echoed += bytes.length));
    let sent = 0;

    let sessions = 0;
    let ended = 0;
    const session = (): void => {
      sessions++;
      const socket = open();
      socket.once('secureConnect', () => {
        const { fingerprint256 } = socket.getPeerCertificate();
        seen.set(fingerprint256, (seen.get(fingerprint256) ?? 0) + 1);
        socket.write('x');
      });
      socket.once('data', () => socket.end());
      socket.once('close', () => ended++);
    };
    const timer = setInterval(session, 1_000 / RATE);
    t.teardown(() => clearInterval(timer));
    let met = '';
    let begun = 0;
    while (renewals <= RENEWALS) {
      // Until a client has met the certificate of the last renewal.
      const now = await certificateAt(port, ca);
      long.write('y');
      sent++;
      if (now !== met && sessions - begun >= SESSIONS_EACH) {
        met = now;
        begun = sessions;
        renew();
        await balancer.apply(config);
      } else await pause(20);
    }
    clearInterval(timer);
    await until('all sessions are over', () => ended === sessions);
    await until('the long one has its bytes', () => echoed === sent);
    t.same(failures, []);
    t.equal(seen.size, 2, `${sessions} sessions met both certificates`);
    t.equal(long.readyState, 'open');
    long.destroy();
  },
);

/** The fingerprint of the certificate that a new client gets. */
function certificateAt(port: number, ca: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'site.test', ca });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().fingerprint256);
      socket.end();
    });
  });
}
