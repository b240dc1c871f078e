/** Benchmark results as small as a test needs them. */
import type { PeerResult, Result, ScenarioResult } from '../../bench/result-file.ts';

type Role = PeerResult['role'];

/** A peer with one round per value. */
export function peerWith(name: string, role: Role, key: string, values: readonly number[]): PeerResult {
  return {
    name,
    role,
    samples: values.map((value, index) => ({ round: index + 1, figures: { [key]: value }, errors: 0 })),
  };
}

/** A scenario with one figure. */
export function scenarioWith(
  name: string,
  key: string,
  peers: readonly PeerResult[],
  unit = 'µs',
): ScenarioResult {
  return {
    name,
    title: `${name}, as a test has it`,
    headline: key,
    figures: [{ key, label: 'figure', unit, digits: 1, better: 'lower' }],
    peers: [...peers],
  };
}

export function resultWith(scenarios: readonly ScenarioResult[]): Result {
  return {
    format: 1,
    environment: {
      date: '2026-11-21T00:00:00.000Z',
      cpu: 'a CPU',
      cpuCount: 2,
      memoryGib: 1,
      kernel: 'Linux',
      node: 'v20.0.0',
      commit: 'abc',
      pinning: 'none',
      loadBefore: 0,
      rounds: 1,
      backends: 3,
      versions: {},
    },
    absent: [],
    scenarios: [...scenarios],
  };
}
