/** HAProxy beside lb4, over the same backends: checks, retries and redispatch as its users have them. */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { formatAddress, type TcpAddress } from '../../src/support/address.ts';
import { ended, find, freePort } from './programs.ts';
import type { Teardown } from './teardown.ts';
import { pause } from './until.ts';

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
  const child = spawn(find('haproxy') ?? 'haproxy', ['-db', '-f', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let talk = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (talk += text));
  t.teardown(() => {
    child.kill('SIGKILL');
    return ended(child);
  });
  const addresses = ports.map((port): TcpAddress => ({ kind: 'tcp', host: '127.0.0.1', port }));
  const [first] = addresses;
  while (first !== undefined && !(await accepts(first))) {
    if (child.exitCode !== null) throw new Error(`HAProxy has ended: ${talk}`);
    await pause(10);
  }
  return addresses;
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

function accepts({ host, port }: TcpAddress): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
