/**
 * HAProxy in mode tcp with one thread, no logs, no health checks and otherwise its defaults.
 */
import type { Launcher } from './launcher.ts';
import type { Peer } from './peer.ts';

export function createHaproxy(launcher: Launcher): Peer {
  return {
    name: 'haproxy',
    role: 'rival',
    version: () => launcher.askVersion(['haproxy', '-v'], /HAProxy version \S+/),
    start: (backends, listenPort) =>
      // -db keeps it in the foreground.
      launcher.launch(
        ['haproxy', '-db', '-f', launcher.configFile('haproxy.cfg', configuration(backends, listenPort))],
        listenPort,
      ),
  };
}

function configuration(backends: readonly number[], listenPort: number): string {
  // Each session needs two descriptors; no strict-limits lets it start, with a warning, where fewer are allowed.
  return `global
  nbthread 1
  maxconn 8192
  no strict-limits
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  bind 127.0.0.1:${String(listenPort)}
  balance roundrobin
  ${backends.map((port, index) => `server b${String(index)} 127.0.0.1:${String(port)}`).join('\n  ')}
`;
}
