/**
 * Figures of the process that runs a balancer, for metrics.
 *
 * Place: the command line gathers them; a program that uses the library has its own.
 */
export interface ProcessFigures {
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Undefined where the system does not say. */
  readonly openDescriptors: number | undefined;
  readonly descriptorLimit: number | undefined;
  /** Dry runs do not count. */
  readonly reloads: {
    readonly done: number;
    readonly failed: number;
    readonly last: { readonly atMs: number; readonly ok: boolean } | undefined;
  };
  /** Source ports that the system has for connections to one address; undefined where it does not say. */
  readonly sourcePorts: number | undefined;
  readonly logs: readonly LogFigures[];
}

export interface LogFigures {
  readonly log: 'log' | 'access';
  /** Lines that have not arrived since the start. */
  readonly linesLost: number;
  /** Its destination takes nothing now. */
  readonly isBroken: boolean;
}
