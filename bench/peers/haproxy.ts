/**
 * HAProxy in mode tcp with one or two threads, no logs, no health checks and otherwise its defaults.
 */
import type { Launcher } from './launcher.ts';
import type { Peer, PeerTask, Workers } from './peer.ts';

export function createHaproxy(launcher: Launcher, name: string, workers: Workers): Peer {
  return {
    name,
    role: 'rival',
    workers,
    version: () => launcher.askVersion(['haproxy', '-v'], /HAProxy version \S+/),
    start(task) {
      const config = launcher.configFile('haproxy.cfg', configuration(task, workers));
      // -db keeps it in the foreground.
      return launcher.launch(['haproxy', '-db', '-f', config], task.listenPort, { cores: workers });
    },
  };
}

function configuration({ backends, listenPort, strategy, tls }: PeerTask, workers: Workers): string {
  // Each session needs two descriptors; no strict-limits lets it start, with a warning, where fewer are allowed.
  return `global
  nbthread ${String(workers)}
  maxconn 9500
  no strict-limits
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  bind 127.0.0.1:${String(listenPort)}${tls === undefined ? '' : ` ssl crt ${tls.both}`}
  balance ${strategy}
  ${backends.map((port, index) => `server b${String(index)} 127.0.0.1:${String(port)}`).join('\n  ')}
`;
}
