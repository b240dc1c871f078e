/** Figures of one backend's pool, in one data plane or in all together. */
export interface PoolFigures {
  /** Spare connections. */
  readonly parked: number;
  /** Sessions that got a parked connection, and those that had to connect. */
  readonly hits: number;
  readonly misses: number;
}

/** What data planes publish of a slot now and then: of a backend's the pool, of a queue's what its upstream has left. */
export interface SlotFigures extends PoolFigures {
  /** Connections to the backend that are open or being opened, parked ones too. */
  readonly connections: number;
  /** Further attempts that the upstream's retry budget allows now. */
  readonly retriesLeft: number;
}

export const NO_FIGURES: SlotFigures = Object.freeze({
  parked: 0,
  hits: 0,
  misses: 0,
  connections: 0,
  retriesLeft: 0,
});

/** Their names: by its type NO_FIGURES has all of them, and no other. */
export const FIGURES = Object.keys(NO_FIGURES) as readonly (keyof SlotFigures)[];
