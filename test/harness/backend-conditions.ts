/** What is known of a backend that is well, for tests of what follows from something else. */
import type { BackendConditions } from '../../src/control/upstream/eligibility.ts';

export const WELL: BackendConditions = {
  resolved: true,
  settled: true,
  healthy: true,
  agentUp: true,
  operator: 'ready',
  ejection: 'none',
  backup: false,
  weight: 1,
};
