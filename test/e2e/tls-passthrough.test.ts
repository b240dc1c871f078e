/** TLS passthrough with others who speak TLS: curl and openssl through lb4 to nginx and HAProxy, by name and protocol. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createLoadBalancer } from '../../src/index.ts';
import { freePort, runProgram, skipWithout, startServer } from '../harness/programs.ts';
import { withoutLibc } from '../harness/real-libc.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { certificateFor } from '../src/control/health/certificate.ts';

const skip = skipWithout('haproxy', 'nginx', 'curl', 'openssl');
const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
t.setTimeout(120_000);

for (const engine of ['epoll', 'node'] as const)
  void t.test(
    `${engine}: each client meets the certificate of the backend that has its name`,
    { skip: skip || (engine === 'epoll' && withoutLibc) },
    async t => {
      const folder = temporaryFolder(t);
      const [nginxPort, haproxyPort, port] = [await freePort(), await freePort(), await freePort()];
      const ofNginx = await certificateFor(t, 'DNS:site.test');
      const ofHaproxy = await certificateFor(t, 'DNS:*.shop.test');
      const nginx = join(folder, 'nginx.conf');
      writeFileSync(
        nginx,
        [
          `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;`,
          'events { worker_connections 100; }',
          `http { access_log off; ${TEMPORARY.map(each => `${each}_temp_path ${folder}/${each};`).join(' ')}`,
          `  server { listen 127.0.0.1:${nginxPort} ssl http2; ssl_certificate ${ofNginx.path}; ssl_certificate_key ${ofNginx.folder}/key.pem;`,
          '    return 200 "nginx $ssl_server_name $server_protocol\\n"; } }',
          '',
        ].join('\n'),
      );
      const pem = join(folder, 'shop.pem');
      writeFileSync(pem, ofHaproxy.cert + ofHaproxy.key);
      const haproxy = join(folder, 'haproxy.cfg');
      writeFileSync(
        haproxy,
        [
          'global\n  no strict-limits\n  maxconn 100',
          'defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s',
          `frontend shop\n  bind 127.0.0.1:${haproxyPort} ssl crt ${pem} alpn h2,http/1.1,acme-tls/1`,
          '  http-request return status 200 content-type text/plain lf-string "haproxy %[ssl_fc_sni] %HV\\n"',
          '',
        ].join('\n'),
      );
      await startServer(t, 'nginx', ['-p', folder, '-c', nginx, '-e', 'stderr'], nginxPort);
      await startServer(t, 'haproxy', ['-db', '-f', haproxy], haproxyPort);
      const balancer = createLoadBalancer({
        ...{ engine, workers: 1 },
        listeners: [
          {
            ...{ name: 'web', bind: `127.0.0.1:${port}`, upstream: 'site' },
            sni: {
              routes: [
                { match: 'site.test', upstream: 'site' },
                { match: '*.shop.test', upstream: 'shop' },
                { alpn: 'acme-tls/1', upstream: 'shop' },
              ],
              others: 'refuse',
            },
          },
        ],
        upstreams: [
          { name: 'site', health: 'off', backends: [`127.0.0.1:${nginxPort}`] },
          { name: 'shop', health: 'off', backends: [`127.0.0.1:${haproxyPort}`] },
        ],
      });
      t.teardown(() => balancer.stop());
      await balancer.start();

      // The certificate is verified, so the name of the wrong backend would be an error.
      const curl = (host: string, ca: string, ...args: readonly string[]) =>
        runProgram('curl', [
          ...['-sS', '--max-time', '20', '--cacert', ca, '--connect-to', `${host}:443:127.0.0.1:${port}`],
          ...[...args, `https://${host}/`],
        ]);
      t.match(await curl('site.test', ofNginx.path), { stdout: 'nginx site.test HTTP/2.0\n' });
      t.match(await curl('SITE.test', ofNginx.path, '--http1.1'), {
        stdout: /^nginx site\.test HTTP\/1\.1\n/i,
      });
      t.match(await curl('a.shop.test', ofHaproxy.path), { stdout: 'haproxy a.shop.test HTTP/2.0\n' });
      t.match(await curl('a.shop.test', ofHaproxy.path, '--http1.1', '--tls-max', '1.2'), {
        stdout: 'haproxy a.shop.test HTTP/1.1\n',
      });
      for (const host of ['other.test', 'a.b.shop.test', 'shop.test'])
        t.match(
          await curl(host, ofNginx.path),
          { stdout: '', code: 35 },
          `${host} is reset in the handshake`,
        );

      const openssl = (...args: readonly string[]) =>
        runProgram('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args]);
      const challenge = await openssl('-servername', 'site.test', '-alpn', 'acme-tls/1');
      t.match(challenge.stdout, /ALPN protocol: acme-tls\/1/, 'HAProxy answers for a name of nginx');
      const protocols = [...Array.from({ length: 100 }, (_, i) => `protocol-${i}`), 'h2'].join(',');
      const args = ['-servername', 'site.test', '-alpn', protocols, '-max_send_frag', '512'];
      const pieces = await openssl(...args);
      t.match(pieces.stdout, /ALPN protocol: h2/, 'a message in several records');
      t.match((await openssl('-noservername')).stdout, /no peer certificate available/);
    },
  );
