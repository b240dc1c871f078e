/**
 * Sites behind a balancer: nginx with HTTPS, HTTP/2 and plain HTTP, HAProxy that reads HTTP/1.1 and HTTP/2 without TLS,
 * and a server of Node's with HTTP/2. Each answers with its name and the protocol it was asked in.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { freePort, startServer } from './programs.ts';
import { temporaryFolder } from './temporary-folder.ts';
import type { Teardown } from './teardown.ts';

/** PEM, and the files that it is in. */
export interface SiteCertificate {
  readonly cert: string;
  readonly key: string;
  readonly path: string;
  readonly folder: string;
}

const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

/** An HTTPS site of nginx, with HTTP/2. Resolves with its port. */
export async function startNginxSite(t: Teardown, { path, folder: keys }: SiteCertificate): Promise<number> {
  const [folder, port] = [temporaryFolder(t), await freePort()];
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    [
      `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;`,
      'events { worker_connections 1000; }',
      `http { access_log off; ${TEMPORARY.map(each => `${each}_temp_path ${folder}/${each};`).join(' ')}`,
      `  server { listen 127.0.0.1:${port} ssl http2; ssl_certificate ${path}; ssl_certificate_key ${keys}/key.pem;`,
      '    return 200 "nginx $server_protocol\\n"; } }',
      '',
    ].join('\n'),
  );
  await startServer(t, 'nginx', ['-p', folder, '-c', config, '-e', 'stderr'], port);
  return port;
}

/** A site of HAProxy that takes HTTP/1.1 and HTTP/2 without TLS at one port, which is resolved with. */
export async function startPlainSite(t: Teardown): Promise<number> {
  const port = await freePort();
  const config = join(temporaryFolder(t), 'haproxy.cfg');
  writeFileSync(
    config,
    [
      'global\n  no strict-limits\n  maxconn 1000',
      'defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s',
      `frontend plain\n  bind 127.0.0.1:${port}`,
      '  http-request return status 200 content-type text/plain lf-string "haproxy HTTP/%[req.ver]\\n"',
      '',
    ].join('\n'),
  );
  await startServer(t, 'haproxy', ['-db', '-f', config], port);
  return port;
}

/** Node's own server, with HTTP/2 and HTTP/1.1 over TLS. Resolves with its port. */
export async function startNodeSite(t: Teardown, { cert, key }: SiteCertificate): Promise<number> {
  const server = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
    response.end(`node HTTP/${request.httpVersion}\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  // A TCP server's address is no text.
  return (server.address() as AddressInfo).port;
}
