/** A thread of shared-turns.test.ts: it picks as often as it is told, as fast as it can. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { createStrategy, STRATEGIES } from '../../../../strategies/index.ts';
import { sharedTurns } from '../../../../src/data/dispatch/shared-turns.ts';
import { SharedState, type SharedMemory } from '../../../../src/shared-memory/shared-state.ts';
import type { UpstreamMemory } from '../../../../src/shared-memory/upstream-state.ts';
import { fakes } from '../../../strategies/fakes.ts';

export interface ThreadStart {
  readonly index: number;
  readonly memory: SharedMemory;
  readonly upstream: UpstreamMemory;
  readonly weights: readonly number[];
  readonly picks: number;
}

// tap runs whatever it finds in a folder, also this.
if (parentPort !== null) play(parentPort, workerData as ThreadStart);

function play(port: MessagePort, { index, memory, upstream, weights, picks }: ThreadStart): void {
  const shared = new SharedState(memory, index);
  const { rings } = shared.viewOf(upstream);
  if (rings === undefined) throw new Error('an upstream that takes no turns');
  const deps = { now: () => 0, random: () => 0.5, turns: sharedTurns(rings, shared.turns).main };
  const strategy = createStrategy(STRATEGIES.roundrobin, fakes(...weights), deps);
  const counts: Record<string, number> = {};
  port.once('message', () => {
    for (let i = 0; i < picks; i++) {
      const id = strategy.pick({ clientAddress: '' })?.id ?? 'none';
      counts[id] = (counts[id] ?? 0) + 1;
    }
    port.postMessage(counts);
  });
  port.postMessage('ready');
}
