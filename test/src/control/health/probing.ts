/**
 * Making probes in tests as the configuration asks for them.
 */
import { subscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { parseConfig } from '../../../../src/config/source/parse.ts';
import type { HealthConfig } from '../../../../src/config/schema/schema.ts';
import { AddressWalk } from '../../../../src/engine/address-walk.ts';
import { setUnrefTimer } from '../../../../src/support/timer.ts';
import { createNodeEngine } from '../../../../src/engine/node/node-engine.ts';
import { createProbe, type ProbeDeps } from '../../../../src/control/health/create-probe.ts';
import type { Probe, ProbeResult, ProbeTarget } from '../../../../src/control/health/probe.ts';
import { formatAddress, type Address } from '../../../../src/support/address.ts';
import { problems, withUpstream, type Keys } from '../../config/small-inputs.ts';

export const PASSED: ProbeResult = { verdict: 'passed' };
export const failedWith = (reason: string): ProbeResult => ({ verdict: 'failed', reason });

/** A checked `health` section. */
export function health(keys: Keys): HealthConfig {
  const input = withUpstream({ health: keys });
  const parsed = parseConfig(input);
  if (!parsed.ok) throw new Error(problems(input));
  return parsed.config.upstreams[0]!.health;
}

export function probeOf(keys: Keys, deps: Partial<ProbeDeps> = {}): Probe {
  const engine = createNodeEngine({ clock: { nowMs: 0 } });
  return createProbe(health(keys), {
    engine,
    setTimer: setUnrefTimer,
    openSocket: address => engine.openSocket(address),
    baseDir: '/',
    at: ['upstreams', 'app', 'health'],
    ...deps,
  });
}

/** A backend with one address or several. */
export function targetOf(address: Address | readonly Address[], backend: string): ProbeTarget {
  const addresses = new AddressWalk(() => performance.now());
  addresses.update([address].flat());
  return { addresses, backend };
}

/** The result of one probe; `backend`: the configured address, when it is another than the one to connect to. */
export function probeOnce(
  address: Address,
  keys: Keys,
  { backend = formatAddress(address), ...deps }: Partial<ProbeDeps> & { backend?: string } = {},
): Promise<ProbeResult> {
  const probe = probeOf(keys, deps);
  return new Promise(resolve => void probe(targetOf(address, backend), resolve));
}

const connected: Socket[] = [];
subscribe('net.client.socket', message => {
  // The channel's messages are of this form (Node's documentation of diagnostics_channel).
  connected.push((message as { socket: Socket }).socket);
});

/** How many sockets that this process has opened with net.connect, as plain and http probes do, are not destroyed. */
export function openSockets(): number {
  return connected.filter(({ destroyed }) => !destroyed).length;
}
