/** HAProxy beside lb4, over the same backends: checks, retries and redispatch as its users have them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatAddress, type TcpAddress } from '../../src/support/address.ts';
import { freePort, startServer } from './programs.ts';
import type { Teardown } from './teardown.ts';

export interface HaproxyUpstream {
  readonly balance: string;
  readonly backends: readonly TcpAddress[];
  /** Of the check; absent: it only connects. */
  readonly httpPath?: string | undefined;
  readonly intervalMs: number;
}

/** Starts it with one listener per upstream; resolves to their addresses once it accepts. `folder`: for its configuration. */
export async function startHaproxy(
  t: Teardown,
  folder: string,
  upstreams: readonly HaproxyUpstream[],
): Promise<readonly TcpAddress[]> {
  const ports: number[] = [];
  for (let i = 0; i < upstreams.length; i++) ports.push(await freePort());
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(file, configuration(upstreams, ports));
  await startServer(t, 'haproxy', ['-db', '-f', file], ports[0] ?? 0);
  return ports.map(port => ({ kind: 'tcp', host: '127.0.0.1', port }));
}

function configuration(upstreams: readonly HaproxyUpstream[], ports: readonly number[]): string {
  const sections = upstreams.map(({ balance, backends, httpPath, intervalMs }, i) => [
    `listen upstream${i}`,
    `  bind 127.0.0.1:${ports[i] ?? 0}`,
    `  balance ${balance}`,
    ...(httpPath === undefined ? [] : [`  option httpchk GET ${httpPath}`]),
    ...backends.map(
      (address, j) => `  server s${j} ${formatAddress(address)} check inter ${intervalMs}ms fall 3 rise 2`,
    ),
  ]);
  return `${[
    'global',
    '  maxconn 4000',
    '  no strict-limits',
    'defaults',
    '  mode tcp',
    '  option redispatch',
    '  timeout connect 5s',
    '  timeout client 1h',
    '  timeout server 1h',
    ...sections.flat(),
  ].join('\n')}\n`;
}
