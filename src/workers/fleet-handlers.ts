/**
 * What a fleet of workers reports: everything that one data plane does, once for all workers, and how the workers do.
 *
 * Place: `WorkerFleet` calls them; data-plane-handlers.ts makes events of them.
 */
import type { DataPlaneHandlers } from '../data-plane.ts';

export interface FleetHandlers extends DataPlaneHandlers {
  onWorkerExited(worker: number, reason: string, sessions: number, restartInMs: number | undefined): void;
  onWorkerRestarted(worker: number): void;
  onWorkerStalled(worker: number, forMs: number): void;
  onWorkerResumed(worker: number): void;
}
