/** Figures of one backend's pool, in one data plane or in all together. */
export interface PoolFigures {
  /** Spare connections. */
  readonly parked: number;
  /** Sessions that got a parked connection, and those that had to connect. */
  readonly hits: number;
  readonly misses: number;
}

export const NO_POOL: PoolFigures = Object.freeze({ parked: 0, hits: 0, misses: 0 });

export function sumOfPools(pools: readonly PoolFigures[]): PoolFigures {
  return pools.reduce(
    (sum, { parked, hits, misses }) => ({
      parked: sum.parked + parked,
      hits: sum.hits + hits,
      misses: sum.misses + misses,
    }),
    NO_POOL,
  );
}
