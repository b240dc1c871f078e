/**
 * lb4 as a library: `import { createLoadBalancer } from 'lb4-balancer'`.
 *
 * The public API, and the only barrel. What is not exported here may change at any time.
 */
export { createLoadBalancer } from './load-balancer.ts';
export type { LoadBalancer, LoadBalancerOptions } from './load-balancer.ts';
export type {
  BackendView,
  ListenerView,
  LoadBalancerSnapshot,
  LoadBalancerState,
  UpstreamView,
} from './load-balancer-snapshot.ts';
export type { WorkerView } from './data-plane-host.ts';
export type { BackendInput, Config, ConfigInput } from './config/schema.ts';
export { ERROR_CODES, Lb4Error, type ErrorCode } from './errors.ts';
export type { EventMap, EventName } from './events.ts';
export type { SessionQuery, SessionView } from './model/session-view.ts';
export type { HoldReason } from './model/data-event.ts';
export type { MirrorFailure } from './mirror/exchange.ts';
export type { MirroredUpstreamView, MirrorView } from './mirror/mirror.ts';
export type { MirrorMode, MirrorTrouble } from './mirror/upstream-exchanges.ts';
export type { SessionRecord } from './session/session-record.ts';
export type { AgentWord } from './upstream/backend-record.ts';
export type { OperatorState, UpstreamMode } from './upstream/eligibility.ts';
export type { BackendStatus, UpstreamStatus } from './upstream/upstream-status.ts';
export { REASONS, type EndedBy, type Phase, type Reason, type Termination } from './termination.ts';
