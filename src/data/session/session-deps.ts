/**
 * Where a session comes from, and what it needs.
 *
 * Place: a part of session.ts; the data plane passes it in.
 */
import type { Engine, RelayOutcome } from '../../engine/engine.ts';
import type { ListenerPlan } from '../../model/listener-plan.ts';
import type { Termination } from '../../model/termination.ts';
import type { Deadlines } from '../../support/deadlines.ts';
import type { Passage } from '../admission/passage.ts';
import type { DispatcherDeps } from '../dispatch/dispatch-owner.ts';
import type { UpstreamRuntime } from '../dispatch/upstream-runtime.ts';
import type { Bandwidth } from './bandwidth.ts';
import type { DeadlineWheel } from './deadline-wheel.ts';
import type { Counting } from './session-counts.ts';
import type { Session } from './session.ts';

/** Where a session came in: it keeps the plan and the upstream of that moment for life. */
export interface Origin extends Counting {
  /** As its last plan limits it; undefined: not at all. */
  readonly bandwidth: Bandwidth | undefined;
  readonly plan: ListenerPlan;
  readonly upstream: UpstreamRuntime;
}

/** A client's way through the gates of its listener. */
export type Way = Passage<UpstreamRuntime>;

export interface SessionDeps<O extends Origin = Origin> extends DispatcherDeps {
  readonly engine: Engine;
  /** Before the number in each session's id, so that ids of several workers differ; default ''. */
  readonly idPrefix?: string;
  readonly wheel: DeadlineWheel;
  /** For clients whose first bytes gates wait for. */
  readonly deadlines: Deadlines;
  /** Milliseconds since 1970. */
  wallClock(): number;
  /** Whether records are made now: what only a record has costs system calls. */
  isRecording(): boolean;
  /**
   * The session has ended, and how. Its record can be had with the same values before this call returns.
   * @param relayed undefined: nothing was relayed
   */
  onEnd(session: Session<O>, termination: Termination, relayed: RelayOutcome | undefined): void;
}
