/**
 * Ways for an instance to know of the others' sessions, to compare the mirror with: nothing; and a common snapshot of
 * all counts that every instance gets at the same moment every period, used in two ways.
 *
 * Place: given to `Cluster`; the mirror itself is in `mirror-knowledge.ts`.
 */
import type { CreateKnowledge, Surroundings } from './cluster.ts';

/** Each instance knows its own sessions only. */
export const nothing: CreateKnowledge = ({ own }) => ({
  counts: backend => ({ live: () => own[backend] ?? 0 }),
});

/** Every instance uses the last snapshot alone: the effect of shared counts that are used unchanged. */
export function snapshotOnly(periodMs: number): CreateKnowledge {
  return surroundings => {
    const seen = new Map<number, number>();
    return {
      counts: backend => ({ live: () => seen.get(backend) ?? 0 }),
      start(strategy, candidates) {
        everyPeriod(surroundings, periodMs, (backend, total) => {
          seen.set(backend, total);
          const candidate = candidates[backend];
          if (candidate !== undefined) strategy.changed?.(candidate);
        });
      },
    };
  };
}

/** The others' sessions as of the last snapshot, and the instance's own as they are. */
export function snapshotAndOwn(periodMs: number): CreateKnowledge {
  return surroundings => {
    const { own } = surroundings;
    const others = new Map<number, number>();
    const ownOf = (backend: number): number => own[backend] ?? 0;
    return {
      counts: backend => ({ live: () => ownOf(backend) + (others.get(backend) ?? 0) }),
      start(strategy, candidates) {
        everyPeriod(surroundings, periodMs, (backend, total) => {
          others.set(backend, total - ownOf(backend));
          const candidate = candidates[backend];
          if (candidate !== undefined) strategy.changed?.(candidate);
        });
      },
    };
  };
}

/** Reports all totals at 0 and after each period; at the same moment to every instance. */
function everyPeriod(
  { clock, totals }: Surroundings,
  periodMs: number,
  tell: (backend: number, total: number) => void,
): void {
  const next = (): void => {
    for (const [backend, total] of totals.entries()) tell(backend, total);
    clock.setTimer(next, periodMs);
  };
  next();
}
