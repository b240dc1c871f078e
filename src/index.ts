/**
 * lb4 as a library: `import { createLoadBalancer } from 'lb4-balancer'`.
 *
 * The public API, and the only barrel. What is not exported here may change at any time.
 */
export type {
  AgentWord,
  BackendStatus,
  BackendView,
  ListenerView,
  LoadBalancerSnapshot,
  LoadBalancerState,
  MirrorView,
  MirroredUpstreamView,
  OperatorOverride,
  UpstreamStatus,
  UpstreamView,
  WorkerView,
} from './model/snapshot.ts';
export { COUNTERS } from './model/counter-view.ts';
export type {
  BackendCounts,
  Counter,
  CounterView,
  Counts,
  CountsKind,
  Histogram,
  ListenerCounts,
  Times,
  UpstreamCounts,
} from './model/counter-view.ts';
export type { MirrorFailure, MirrorMode, MirrorTrouble, OperatorState, UpstreamMode } from './model/words.ts';
export { createLoadBalancer } from './load-balancer.ts';
export type { LoadBalancer, LoadBalancerOptions } from './load-balancer.ts';
export type { BackendInput, Config, ConfigInput } from './config/schema/schema.ts';
export { ERROR_CODES, Lb4Error, type ErrorCode } from './errors.ts';
export type { EventMap, EventName } from './model/events.ts';
export type { SessionQuery, SessionView } from './model/session-view.ts';
export type { HoldReason } from './model/data-event.ts';
export type { SessionRecord } from './model/session-record.ts';
export { REASONS, type EndedBy, type Phase, type Reason, type Termination } from './model/termination.ts';
