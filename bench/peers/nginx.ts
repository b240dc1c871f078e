/**
 * nginx's stream module with one or two workers, no logs and otherwise its defaults.
 *
 * Debian ships the module as a shared object that has to be loaded by its path; other builds have it inside.
 */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Launcher } from './launcher.ts';
import type { Peer, PeerTask, Workers } from './peer.ts';

const MODULES = [
  '/usr/lib/nginx/modules/ngx_stream_module.so',
  '/usr/lib64/nginx/modules/ngx_stream_module.so',
  '/usr/share/nginx/modules/ngx_stream_module.so',
];

export function createNginx(launcher: Launcher, name: string, workers: Workers): Peer {
  const module = MODULES.find(file => existsSync(file));
  return {
    name,
    role: 'rival',
    workers,
    async version() {
      const found = await launcher.askVersion(['nginx', '-v'], /nginx\/\S+/);
      if (!found.present || module !== undefined) return found;
      const builtIn = await launcher.askVersion(['nginx', '-V'], /--with-stream(?=\s|$)/);
      return builtIn.present ? found : { present: false, reason: 'nginx has no stream module' };
    },
    start(task) {
      const config = launcher.configFile('nginx.conf', configuration(task, workers, module));
      // -e: without it nginx opens the compiled-in error log before it has read the configuration.
      const command = ['nginx', '-e', '/dev/null', '-p', dirname(config), '-c', config];
      return launcher.launch(command, task.listenPort, { cores: workers });
    },
  };
}

function configuration(
  { backends, listenPort, strategy, tls }: PeerTask,
  workers: Workers,
  module: string | undefined,
): string {
  return `${module === undefined ? '' : `load_module ${module};`}
daemon off;
worker_processes ${String(workers)};
pid nginx.pid;
error_log /dev/null crit;
events { worker_connections 19000; }
stream {
  access_log off;
  upstream bench {
    ${strategy === 'leastconn' ? 'least_conn;' : ''}
    ${backends.map(port => `server 127.0.0.1:${String(port)};`).join('\n    ')}
  }
  server {
    listen 127.0.0.1:${String(listenPort)}${tls === undefined ? '' : ' ssl'};
    ${tls === undefined ? '' : `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};`}
    ${tls === undefined ? '' : 'ssl_protocols TLSv1.2 TLSv1.3;'}
    proxy_timeout 1h;
    proxy_pass bench;
  }
}
`;
}
