/** What happens to clients before lb4 has them: queues of listening sockets, and ports that are to be bound. */
import { formatAddress } from '../../support/address.ts';
import { fail, ok, unknown, warn, type Finding, type Judged } from './finding.ts';
import { netstatCounter, pathOf, sysctl, textOf, whyUnreadable } from './kernel-files.ts';
import { reservedPorts } from '../source-ports.ts';
import { grouped } from './words.ts';

/** A length of queue that a burst of clients does not fill. */
const BACKLOG = 4096;
const CAP_NET_BIND_SERVICE = 10n;

export function listenQueue({ machine: { read } }: Judged): Finding[] {
  const check = 'listen queue';
  const key = 'net.core.somaxconn';
  const [most] = sysctl(read, key) ?? [];
  if (most === undefined) return [unknown(check, whyUnreadable(read, pathOf(key)))];
  const length = `${key} is ${grouped(most)}: as many clients may wait for each address and worker`;
  const advice = `sysctl -w ${key}=${BACKLOG}; new listeners use it`;
  return [most < BACKLOG ? warn(check, length, advice) : ok(check, length)];
}

export function listenOverflows({ machine: { read } }: Judged): Finding[] {
  const check = 'overflows';
  const overflows = netstatCounter(read, 'TcpExt', 'ListenOverflows');
  const drops = netstatCounter(read, 'TcpExt', 'ListenDrops');
  if (overflows === undefined || drops === undefined)
    return [unknown(check, whyUnreadable(read, '/proc/net/netstat'))];
  if (overflows === 0) return [ok(check, 'no queue of a listening socket was ever full')];
  return [
    warn(
      check,
      `${grouped(overflows)} connects found a full queue since the machine started, and ${grouped(drops)} were dropped: their clients try again after 1 s`,
      'nstat -az TcpExtListenOverflows shows whether it still grows; then raise maxSessions of the listener, or the number of workers',
    ),
  ];
}

/** Ports that lb4 may not bind, or that an outgoing connection may take first. */
export function listenPorts({ machine, plan }: Judged): Finding[] {
  const check = 'listen ports';
  const { read, isRoot } = machine;
  const bound = plan.listeners.flatMap(({ addresses }) =>
    addresses.flatMap(address => (address.kind === 'tcp' && address.port > 0 ? [address] : [])),
  );
  if (bound.length === 0) return [];
  const findings: Finding[] = [];
  const [lowest = 1024] = sysctl(read, 'net.ipv4.ip_unprivileged_port_start') ?? [];
  const privileged = bound.filter(({ port }) => port < lowest);
  if (privileged.length > 0 && !isRoot && !mayBind(textOf(read, '/proc/self/status') ?? '')) {
    const named = privileged.map(formatAddress).join(', ');
    findings.push(
      warn(
        check,
        `${named}: this user may not bind ports below ${lowest}`,
        'run lb4 with CAP_NET_BIND_SERVICE, as deploy/systemd/lb4.service does',
      ),
    );
  }
  const [from = 1, to = 0] = sysctl(read, 'net.ipv4.ip_local_port_range') ?? [];
  const reserved = reservedPorts(read);
  const taken = bound.filter(
    ({ port }) =>
      port >= from && port <= to && !reserved.some(([first, last]) => port >= first && port <= last),
  );
  if (taken.length > 0) {
    const ports = [...new Set(taken.map(({ port }) => port))].join(',');
    findings.push(
      warn(
        check,
        `${taken.map(formatAddress).join(', ')}: within ${from} to ${to}, where the system takes ports for outgoing connections; a start fails while one has it`,
        `sysctl -w net.ipv4.ip_local_reserved_ports=${ports}, or another port`,
      ),
    );
  }
  return findings.length > 0 ? findings : [ok(check, `${bound.length} to be bound, none of them in the way`)];
}

/** Whether a process has the capability, by its /proc/self/status. */
function mayBind(status: string): boolean {
  const set = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1];
  return set !== undefined && (BigInt(`0x${set}`) >> CAP_NET_BIND_SERVICE) % 2n === 1n;
}

/** What a firewall or NAT remembers of connections. */
export function connectionTracking({ machine: { read }, plan }: Judged): Finding[] {
  const check = 'conntrack';
  const [most] = sysctl(read, 'net.netfilter.nf_conntrack_max') ?? [];
  const [count] = sysctl(read, 'net.netfilter.nf_conntrack_count') ?? [];
  if (most === undefined || most === 0) return [ok(check, 'not loaded, or not visible here')];
  const figure =
    count === undefined
      ? `at most ${grouped(most)} entries; their number cannot be read here`
      : `${grouped(count)} of ${grouped(most)} entries`;
  const advice = (need: number): string =>
    `sysctl -w net.netfilter.nf_conntrack_max=${need}, or take these ports out of it (nft: notrack)`;
  if (count !== undefined && count >= most * 0.95)
    return [fail(check, `${figure}: the next connections are dropped`, advice(most * 4))];
  if (count !== undefined && count >= most * 0.7) return [warn(check, figure, advice(most * 4))];
  const { maxSessions } = plan;
  // One entry for the client's connection, one for the backend's.
  if (maxSessions !== undefined && maxSessions * 2 > most) {
    const need = maxSessions * 2 * 2;
    return [warn(check, `${figure}; ${grouped(maxSessions)} sessions take two each`, advice(need))];
  }
  return [ok(check, figure)];
}
