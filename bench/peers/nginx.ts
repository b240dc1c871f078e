/**
 * nginx's stream module with one worker, no logs and otherwise its defaults.
 *
 * Debian ships the module as a shared object that has to be loaded by its path; other builds have it inside.
 */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Launcher } from './launcher.ts';
import type { Peer } from './peer.ts';

const MODULES = [
  '/usr/lib/nginx/modules/ngx_stream_module.so',
  '/usr/lib64/nginx/modules/ngx_stream_module.so',
  '/usr/share/nginx/modules/ngx_stream_module.so',
];

export function createNginx(launcher: Launcher): Peer {
  const module = MODULES.find(file => existsSync(file));
  return {
    name: 'nginx',
    role: 'rival',
    async version() {
      const found = await launcher.askVersion(['nginx', '-v'], /nginx\/\S+/);
      if (!found.present || module !== undefined) return found;
      const builtIn = await launcher.askVersion(['nginx', '-V'], /--with-stream(?=\s|$)/);
      return builtIn.present ? found : { present: false, reason: 'nginx has no stream module' };
    },
    start(backends, listenPort) {
      const config = launcher.configFile('nginx.conf', configuration(backends, listenPort, module));
      // -e: without it nginx opens the compiled-in error log before it has read the configuration.
      const command = ['nginx', '-e', '/dev/null', '-p', dirname(config), '-c', config];
      return launcher.launch(command, listenPort);
    },
  };
}

function configuration(backends: readonly number[], listenPort: number, module: string | undefined): string {
  return `${module === undefined ? '' : `load_module ${module};`}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log /dev/null crit;
events { worker_connections 16384; }
stream {
  access_log off;
  upstream bench {
    ${backends.map(port => `server 127.0.0.1:${String(port)};`).join('\n    ')}
  }
  server {
    listen 127.0.0.1:${String(listenPort)};
    proxy_timeout 1h;
    proxy_pass bench;
  }
}
`;
}
