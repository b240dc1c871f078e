/** The PROXY protocol with others who speak it: HAProxy and nginx on both sides of lb4, and curl, over both engines. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { createLoadBalancer } from '../../src/index.ts';
import { connectClient } from '../harness/client.ts';
import { freePort, runProgram, skipWithout, startServer } from '../harness/programs.ts';
import { withoutLibc } from '../harness/real-libc.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const STREAM_MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so';
const skip =
  skipWithout('haproxy', 'nginx', 'curl') || (!existsSync(STREAM_MODULE) && `there is no ${STREAM_MODULE}`);
const VERSIONS = ['v1', 'v2'] as const;
t.setTimeout(120_000);

/** What the end of a chain says of its client, and what the client itself knows. */
async function ask(t: Test, port: number): Promise<{ said: string; is: string }> {
  const client = await connectClient(t, { kind: 'tcp', host: '127.0.0.1', port });
  const is = `client=127.0.0.1:${client.socket.localPort}`;
  await client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await client.untilEnded();
  return { said: /client=\S+/.exec(client.text)?.[0] ?? client.text, is };
}

for (const engine of ['epoll', 'node'] as const)
  void t.test(
    `${engine}: both ends of every chain agree on the client`,
    { skip: skip || (engine === 'epoll' && withoutLibc) },
    async t => {
      const folder = temporaryFolder(t);
      const port = async () => ({ v1: await freePort(), v2: await freePort() });
      const nginxEnd = await freePort();
      const haproxyEnd = await freePort();
      // Of lb4, towards nginx and towards HAProxy; and of the proxies in front of these.
      const [toNginx, toHaproxy, haproxyFront, nginxFront] = [
        await port(),
        await port(),
        await port(),
        await port(),
      ];
      const both = <Value>(value: (version: (typeof VERSIONS)[number]) => Value) => VERSIONS.map(value);

      const haproxy = join(folder, 'haproxy.cfg');
      writeFileSync(
        haproxy,
        [
          'global\n  no strict-limits\n  maxconn 200',
          'defaults\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s',
          ...both(v => {
            const send = v === 'v1' ? 'send-proxy' : 'send-proxy-v2 proxy-v2-options crc32c,unique-id';
            return `listen front-${v}\n  mode tcp\n  unique-id-format id-%rt\n  bind 127.0.0.1:${haproxyFront[v]}\n  server lb4 127.0.0.1:${toNginx[v]} ${send}`;
          }),
          `frontend end\n  mode http\n  bind 127.0.0.1:${haproxyEnd} accept-proxy\n  http-request return status 200 content-type text/plain lf-string client=%[src]:%[src_port]`,
          '',
        ].join('\n'),
      );
      const nginx = join(folder, 'nginx.conf');
      writeFileSync(
        nginx,
        [
          `load_module ${STREAM_MODULE};`,
          `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr;`,
          'events { worker_connections 200; }',
          `http { access_log off; ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(each => `${each}_temp_path ${folder}/${each};`).join(' ')}`,
          `  server { listen 127.0.0.1:${nginxEnd} proxy_protocol; return 200 "client=$proxy_protocol_addr:$proxy_protocol_port "; } }`,
          // This nginx sends version 1 only.
          `stream { ${both(v => `server { listen 127.0.0.1:${nginxFront[v]}; proxy_pass 127.0.0.1:${toHaproxy[v]}; proxy_protocol on; }`).join(' ')} }`,
          '',
        ].join('\n'),
      );
      const balancer = createLoadBalancer({
        ...{ engine, workers: 1 },
        listeners: both(v => [
          { name: `nginx-${v}`, bind: `127.0.0.1:${toNginx[v]}`, upstream: `nginx-${v}` },
          { name: `haproxy-${v}`, bind: `127.0.0.1:${toHaproxy[v]}`, upstream: `haproxy-${v}` },
        ])
          .flat()
          .map(listener => ({ ...listener, acceptProxy: { from: ['127.0.0.1'], required: false } })),
        upstreams: both(sendProxy => [
          {
            name: `nginx-${sendProxy}`,
            sendProxy,
            health: 'off' as const,
            backends: [`127.0.0.1:${nginxEnd}`],
          },
          {
            name: `haproxy-${sendProxy}`,
            sendProxy,
            health: 'off' as const,
            backends: [`127.0.0.1:${haproxyEnd}`],
          },
        ]).flat(),
      });
      t.teardown(() => balancer.stop());
      await startServer(t, 'nginx', ['-p', folder, '-c', nginx, '-e', 'stderr'], nginxEnd);
      await startServer(t, 'haproxy', ['-db', '-f', haproxy], haproxyEnd);
      await balancer.start();
      for (const v of VERSIONS) {
        const behindHaproxy = await ask(t, haproxyFront[v]);
        t.equal(behindHaproxy.said, behindHaproxy.is, `HAProxy → lb4 → nginx, ${v}`);
        const behindNginx = await ask(t, nginxFront[v]);
        t.equal(behindNginx.said, behindNginx.is, `nginx → lb4 → HAProxy, ${v}`);
        const direct = await ask(t, toHaproxy[v]);
        t.equal(direct.said, direct.is, `lb4 → HAProxy, ${v}`);
        const curl = await runProgram('curl', [
          '-sS',
          '--haproxy-protocol',
          `http://127.0.0.1:${toNginx[v]}/`,
        ]);
        t.match(curl.stdout, /^client=127\.0\.0\.1:\d+ $/, `curl → lb4 → nginx, ${v}: ${curl.stderr}`);
      }
    },
  );
