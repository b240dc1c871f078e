/**
 * Warns when the source ports to a backend run low, before connects fail for want of one.
 *
 * Place: begun by run.ts. What lb4 itself holds is in the metrics; what counts here is the kernel's table, which also
 * has connections that are over and rest for a minute, and those of other programs.
 * Cost: one small file every ten seconds. The table is walked only when the machine has as many TCP sockets as one pair
 * of addresses needs to run low.
 * Invariants: a pair is warned of once until it has recovered; where the system does not report ports, nothing happens.
 */
import { isIP } from 'node:net';
import { libcOrNone, type Libc } from '../linux/libc.ts';
import { sourcePortUse, type PortUse } from '../linux/source-port-use.ts';
import type { LoadBalancerSnapshot } from '../model/snapshot.ts';
import type { Log } from '../observe/log.ts';
import { formatAddress, parseAddress, type TcpAddress } from '../support/address.ts';
import type { ReadFile } from '../support/cgroup.ts';
import { readSmallFile } from '../support/small-file.ts';
import { setUnrefTimer, type SetTimer } from '../support/timer.ts';
import { sockstat, sysctl } from './doctor/kernel-files.ts';
import { grouped } from './doctor/words.ts';
import { PORT_RANGE, sourcePortCount } from './source-ports.ts';

const EVERY_MS = 10_000;
const LOW = 0.7;
/** Below this it has recovered. */
const RECOVERED = 0.6;

export interface PortWatchDeps {
  readonly log: Log;
  /** Backends now, as text: also those that were added while it runs. */
  readonly backends: () => readonly { readonly upstream: string; readonly backend: string }[];
  readonly read?: ReadFile;
  readonly setTimer?: SetTimer;
  /** Default: the kernel's table. */
  readonly use?: (ports: readonly number[]) => Promise<readonly PortUse[] | undefined>;
}

export function backendsOf({
  upstreams,
}: Pick<LoadBalancerSnapshot, 'upstreams'>): { upstream: string; backend: string }[] {
  return upstreams.flatMap(({ name, backends }) =>
    backends.map(({ backend }) => ({ upstream: name, backend })),
  );
}

/** Watches until the result is called. */
export function watchPorts(deps: PortWatchDeps): () => void {
  const { setTimer = setUnrefTimer } = deps;
  const watch = new PortWatch(deps);
  let isOver = false;
  let cancel: () => void = () => undefined;
  const next = (): void => {
    if (isOver) return;
    cancel = setTimer(() => {
      void watch.look().finally(next);
    }, EVERY_MS);
  };
  next();
  return () => {
    isOver = true;
    cancel();
  };
}

class PortWatch {
  readonly #deps: PortWatchDeps;
  readonly #read: ReadFile;
  readonly #low = new Set<string>();
  #libc: Libc | undefined;

  constructor(deps: PortWatchDeps) {
    this.#deps = deps;
    this.#read = deps.read ?? readSmallFile;
  }

  async look(): Promise<void> {
    const ports = sourcePortCount(this.#read);
    if (ports === undefined) return;
    const threshold = ports * LOW;
    const sockets = this.#tcpSockets();
    if (sockets < threshold && this.#low.size === 0) return;
    const targets = this.#targets();
    if (targets.length === 0) return;
    const use = (await this.#use(targets.map(({ address }) => address.port))) ?? [];
    const isReused = (sysctl(this.#read, 'net.ipv4.tcp_tw_reuse') ?? [])[0] === 1;
    const seen = new Set<string>();
    for (const pair of use) {
      const target = ownerOf(pair, targets);
      if (target === undefined) continue;
      // A new connection may take a port that rests after a second.
      const used = isReused ? pair.used - pair.resting : pair.used;
      const key = `${pair.from} ${pair.to}:${pair.port}`;
      seen.add(key);
      if (used >= threshold) this.#warn(key, pair, used, ports, target.upstream);
      else if (used < ports * RECOVERED) this.#recovered(key, pair);
    }
    for (const key of this.#low) if (!seen.has(key)) this.#low.delete(key);
  }

  #warn(key: string, pair: PortUse, used: number, ports: number, upstream: string): void {
    if (this.#low.has(key)) return;
    this.#low.add(key);
    const { from, to, port, resting } = pair;
    const backend = formatAddress({ kind: 'tcp', host: to, port });
    const message =
      `source ports from ${from} to ${backend} of ${upstream} run low: ${grouped(used)} of ${grouped(ports)} in use, ${grouped(resting)} of them by connections that are over (TIME_WAIT); ` +
      `connects fail when none is left: more addresses in source, or a wider ${PORT_RANGE}`;
    this.#deps.log.write('warn', 'sourcePortsLow', message, {
      upstream,
      backend,
      from,
      used,
      resting,
      ports,
    });
  }

  #recovered(key: string, { from, to, port, used }: PortUse): void {
    if (!this.#low.delete(key)) return;
    const backend = formatAddress({ kind: 'tcp', host: to, port });
    const message = `source ports from ${from} to ${backend}: ${grouped(used)} in use, there is room again`;
    this.#deps.log.write('info', 'sourcePortsRecovered', message, { backend, from, used });
  }

  async #use(ports: readonly number[]): Promise<readonly PortUse[] | undefined> {
    const { use } = this.#deps;
    if (use !== undefined) return await use(ports);
    this.#libc ??= libcOrNone();
    return this.#libc && (await sourcePortUse(this.#libc, ports));
  }

  /** As many as the machine has of this network namespace, those that rest included. */
  #tcpSockets(): number {
    const [used = 0, resting = 0] = [sockstat(this.#read, 'TCP', 'inuse'), sockstat(this.#read, 'TCP', 'tw')];
    return used + resting;
  }

  #targets(): readonly Target[] {
    return this.#deps.backends().flatMap(({ upstream, backend }) => {
      const parsed = parseAddress(backend);
      return parsed.ok && parsed.address.kind === 'tcp' ? [{ upstream, address: parsed.address }] : [];
    });
  }
}

interface Target {
  readonly upstream: string;
  readonly address: TcpAddress;
}

/** A backend at the address, or one whose name may stand for it. */
function ownerOf({ to, port }: PortUse, targets: readonly Target[]): Target | undefined {
  const atPort = targets.filter(({ address }) => address.port === port);
  return (
    atPort.find(({ address }) => address.host === to) ??
    atPort.find(({ address }) => isIP(address.host) === 0)
  );
}
