/**
 * One client connection from accept to termination: find a backend, relay, account for it.
 *
 * Place: made by the data plane for each client that a listener admits; written once over the engine contract, it never
 * sees a socket.
 * States: admission → dispatching → relaying → ended, and from each of them → ended. Without gates the admission takes
 * no time. At most once, and only when a parked connection turns out to be dead, relaying → dispatching: a fresh
 * connection replaces it.
 * Invariants:
 * - It ends exactly once, with one termination.
 * - Its lease and its pooled connection are given back exactly then; after that it holds no connection, timer or
 *   listener.
 * Why it passes itself as handlers and owner: there may be 100,000 sessions, and closures are objects, too.
 */
import type { OwnConnect } from '../../../pool/index.ts';
import { Admission, type AdmissionOwner } from '../admission/admission.ts';
import type { Facts } from '../admission/gate.ts';
import { clientFields, viewFields } from '../admission/client-fields.ts';
import type { DispatchOwner } from '../dispatch/dispatch-owner.ts';
import { Dispatch } from '../dispatch/dispatcher.ts';
import type { UpstreamRuntime } from '../dispatch/upstream-runtime.ts';
import type { Connection, Relay, RelayHandlers, RelayOutcome } from '../../engine/engine.ts';
import type { ListenerPlan } from '../../model/listener-plan.ts';
import type { SessionRecord } from '../../model/session-record.ts';
import type { SessionView } from '../../model/session-view.ts';
import type { Termination } from '../../model/termination.ts';
import { repace } from './bandwidth.ts';
import type { Timed } from './deadline-wheel.ts';
import { ownConnect } from './own-connect.ts';
import { prefaceOf } from './preface.ts';
import { QueueWaits } from './queue-waits.ts';
import { refuse } from './refuse.ts';
import { relayOptions } from './relay-options.ts';
import { countBytes, countEnd, countWait, firstByteOf, type CountedBytes } from './session-counts.ts';
import type { Origin, SessionDeps, Way } from './session-deps.ts';
import { after, firstLook, lifetimeOf, whenToLook } from './silence.ts';

export class Session<O extends Origin = Origin>
  implements Timed, CountedBytes, DispatchOwner, RelayHandlers, AdmissionOwner<UpstreamRuntime>
{
  wheelSlot = -1;
  wheelIndex = 0;
  /** Its index among the sessions of its data plane, which writes it. */
  index = 0;
  countedFromClient = 0;
  countedFromBackend = 0;
  readonly #number: number;
  /** Once it is admitted, the connection that shows what is inside of TLS, where TLS ends here. */
  #client: Connection;
  readonly front: O;
  readonly #plan: ListenerPlan;
  readonly #deps: SessionDeps<O>;
  readonly #startedMs: number;
  readonly #lifetimeMs: number;
  /** Its way through the gates; undefined where there are none. */
  readonly passage: Way | undefined;
  #upstream: UpstreamRuntime;
  #admission: Admission<UpstreamRuntime> | undefined;
  /** Undefined until the client is admitted. */
  #dispatch: Dispatch | undefined;
  #relay: Relay | undefined;
  /** Undefined until it has to wait for a backend with room. */
  #waits: QueueWaits | undefined;
  /** This end of the client's connection, and of the backend's; only while sessions are recorded. */
  #localAddress: string | undefined;
  #sourceAddress: string | undefined;
  /** When the first of the two sides ended. */
  #halfClosedMs: number | undefined;
  #isEnded = false;
  /** Why lb4 itself ended the relay; the engine only knows that it was aborted. */
  #abortedAs: Termination | undefined;

  /** @param number of the session in this data plane; with the prefix of `deps` it is the session's id */
  constructor(number: number, client: Connection, front: O, deps: SessionDeps<O>, passage?: Way) {
    this.#number = number;
    this.#client = client;
    this.front = front;
    this.passage = passage;
    this.#plan = front.plan;
    this.#deps = deps;
    this.#startedMs = deps.now();
    this.#lifetimeMs = lifetimeOf(front.plan.timeouts, deps);
    this.#upstream = passage?.facts.upstream ?? front.upstream;
  }

  /** Made when it is asked for: most sessions end without anything that names them. */
  get id(): string {
    return `${this.#deps.idPrefix ?? ''}${this.#number.toString(36)}`;
  }

  start(): void {
    if (this.#deps.isRecording()) this.#localAddress = this.#client.localAddress;
    if (this.passage?.isThrough !== false) {
      this.#search(this.passage?.facts.clientAddress ?? this.#client.peerAddress, this.#startedMs);
      return;
    }
    this.#admission = new Admission(this.#client, this.passage, this.#deps, this);
    this.#admission.start();
  }

  /** For the admission only. */
  onAdmitted(facts: Facts<UpstreamRuntime>, client: Connection): void {
    this.#client = client;
    this.#upstream = facts.upstream;
    this.#search(facts.clientAddress);
  }

  /** For the admission only. */
  onRefused(termination: Termination): void {
    this.#end(termination);
  }

  get upstream(): string {
    return this.#upstream.plan.name;
  }

  /** The backend whose bytes it gets; undefined before and after. */
  get servedBy(): string | undefined {
    return this.#relay === undefined ? undefined : this.#dispatch?.backend;
  }

  get isConnecting(): boolean {
    return !this.#isEnded && this.#dispatch !== undefined && this.#relay === undefined;
  }

  /** When a byte last moved; Infinity while nothing is relayed, undefined once it is over. */
  get lastActivityMs(): number | undefined {
    return this.#isEnded ? undefined : (this.#relay?.lastActivityMs ?? Infinity);
  }

  /** Counts the bytes that have moved since the last call. */
  countBytes(relay: Relay | RelayOutcome | undefined = this.#relay): void {
    if (relay !== undefined) countBytes(this, this.front, this.#dispatch, relay);
  }

  /** As it is now. */
  view(): SessionView {
    const relay = this.#relay;
    return {
      ...{ id: this.id, listener: this.#plan.name, upstream: this.upstream },
      backend: this.#dispatch?.backend,
      ...viewFields(this.#from()),
      phase: this.#phase(),
      startedAtMs: this.#startedAtMs(),
      bytesFromClient: relay?.bytesFromClient ?? 0,
      bytesFromBackend: relay?.bytesFromBackend ?? 0,
    };
  }

  /** Of a session that is just ending, from `onEnd` only. */
  record({ by, phase, reason }: Termination, relayed: RelayOutcome | undefined): SessionRecord {
    const dispatch = this.#dispatch;
    const from = this.#from();
    return {
      id: this.id,
      listener: this.#plan.name,
      upstream: this.upstream,
      ...clientFields(from, this.#client),
      localAddress: this.#localAddress,
      backend: dispatch?.backend,
      sourceAddress: this.#sourceAddress,
      attempts: dispatch?.attempts ?? 0,
      tried: dispatch?.tried ?? [],
      warm: dispatch?.origin === 'warm',
      reused: dispatch?.origin === 'reused',
      startedAtMs: this.#startedAtMs(),
      durationMs: this.#deps.now() - this.#startedMs,
      queuedMs: this.#waits?.totalMs,
      connectMs: dispatch?.connectMs,
      firstByteMs: relayed && dispatch && firstByteOf(relayed, dispatch.connectedAtMs),
      bytesFromClient: relayed?.bytesFromClient ?? 0,
      bytesFromBackend: relayed?.bytesFromBackend ?? 0,
      ...{ by, phase, reason },
    };
  }

  /** Ends an attempt to connect to a backend that is not well, if one that is well has room. */
  moveOn(): void {
    if (this.isConnecting) this.#dispatch?.moveOn();
  }

  /** The bandwidth of its front is another one. */
  repace(): void {
    if (this.#relay !== undefined) repace(this.#relay, this.front.bandwidth);
  }

  /** Resets both sides now, for the reason given. False when it has ended already, or was reset before. */
  abort(termination: Termination): boolean {
    if (this.#isEnded || this.#abortedAs !== undefined) return false;
    if (this.#relay !== undefined) {
      this.#abortedAs = termination;
      this.#relay.abort();
      return true;
    }
    if (this.#admission?.giveUp() !== true) {
      this.#dispatch?.cancel();
      this.#client.reset();
    }
    this.#end(termination);
    return true;
  }

  /**
   * For a thread that dies: `abort`, without waiting for the engine, which gets no further turn to report the end of
   * the relay.
   */
  abandon(termination: Termination): void {
    this.abort(termination);
    const relay = this.#relay;
    if (this.#isEnded || relay === undefined) return;
    const { bytesFromClient, bytesFromBackend } = relay;
    this.onEnd({ by: 'balancer', reason: 'aborted', bytesFromClient, bytesFromBackend });
  }

  /** Called by the wheel: ends the session when a timeout is over; otherwise returns when one could be. */
  checkDeadline(nowMs: number): number | undefined {
    const relay = this.#relay;
    if (relay === undefined) return undefined;
    const aliveUntilMs = after(this.#startedMs, this.#lifetimeMs);
    const nextMs = aliveUntilMs <= nowMs ? undefined : whenToLook(relay, this.#silenceMs(relay), nowMs);
    if (nextMs !== undefined) return Math.min(nextMs, aliveUntilMs);
    const silence = relay.halfClosed ? 'halfClosed' : 'idle';
    const reason = aliveUntilMs <= nowMs ? 'lifetime' : silence;
    this.abort({ by: 'balancer', phase: 'relay', reason });
    return undefined;
  }

  /** For the dispatch only. */
  onConnected(connection: Connection): void {
    if (this.#deps.isRecording()) this.#sourceAddress = connection.localAddress;
    const { origin, hasPreface = false } = this.#dispatch ?? {};
    const { pool, sendProxy } = this.#upstream.plan;
    const preface =
      sendProxy && !hasPreface
        ? prefaceOf(sendProxy, this.#from(), this.#localAddress ?? this.#client, this.id)
        : undefined;
    const options = relayOptions(origin, pool.reuse, preface);
    const handlers = origin === 'new' ? this : this.#handlersOfParked();
    this.#relay = this.#deps.engine.relay(this.#client, connection, handlers, options);
    this.front.bandwidth?.begin(this.#relay);
    this.#schedule(this.#relay);
  }

  /** For the dispatch only. */
  ownConnect(): OwnConnect | undefined {
    const here = this.#localAddress ?? this.#client;
    return ownConnect(this.#upstream.plan, this.#from(), here, this.id);
  }

  /** For the dispatch only. */
  onUnavailable(termination: Termination): void {
    refuse(this.#client, this.#plan.whenUnavailable);
    this.#end(termination);
  }

  /** For the dispatch only. */
  onWaiting(isWaiting: boolean): void {
    const waits = (this.#waits ??= new QueueWaits());
    const nowMs = this.#deps.now();
    if (isWaiting)
      waits.begin(this.#client, nowMs, () => this.abort({ by: 'client', phase: 'queue', reason: 'reset' }));
    else countWait(this.#upstream, waits.end(this.#client, nowMs));
  }

  /** For the engine only. */
  onHalfClosed(): void {
    if (this.#dispatch?.judgesEnds === true) this.#halfClosedMs = this.#deps.now();
    if (this.#relay !== undefined) this.#schedule(this.#relay);
  }

  /** For the engine only. */
  onEnd(outcome: RelayOutcome): void {
    // An abandoned session has ended before its engine reports it.
    if (this.#isEnded) return;
    this.#relay = undefined;
    // Before anything is given back: that may serve other sessions, which may stop everything.
    this.#isEnded = true;
    this.#deps.wheel.remove(this);
    const termination = this.#terminationOf(outcome);
    this.#count(termination, outcome);
    this.#dispatch?.release(outcome, this.#halfClosedMs);
    this.#deps.onEnd(this, termination, outcome);
  }

  /** An engine looks for a stale connection only where it is asked to: where the connection was parked. */
  #handlersOfParked(): RelayHandlers {
    return {
      onHalfClosed: () => this.onHalfClosed(),
      onEnd: outcome => this.onEnd(outcome),
      onStale: () => {
        this.#relay = undefined;
        this.#deps.wheel.remove(this);
        this.#dispatch?.replaceStale();
      },
    };
  }

  /** The client as far as it is known. */
  #from(): Omit<Facts<UpstreamRuntime>, 'upstream'> {
    const { peerAddress: clientAddress, peerPort: clientPort } = this.#client;
    return this.passage?.facts ?? { clientAddress, clientPort };
  }

  #phase(): SessionView['phase'] {
    if (this.#relay !== undefined) return 'relay';
    if (this.#dispatch === undefined) return 'admission';
    return this.#waits?.isWaiting === true ? 'queue' : 'connect';
  }

  #search(clientAddress: string, nowMs?: number): void {
    const client = this.#upstream.clientOf(clientAddress, this.passage?.facts);
    this.#dispatch = new Dispatch(this.#upstream, client, this.#deps, this);
    this.#dispatch.start(nowMs);
  }

  #schedule(relay: Relay): void {
    const endMs = after(this.#startedMs, this.#lifetimeMs);
    const dueMs = Math.min(firstLook(relay, this.#silenceMs(relay)), endMs);
    if (dueMs !== Infinity) this.#deps.wheel.add(this, dueMs);
  }

  /** How long the relay may be silent; 0 for ever. */
  #silenceMs(relay: Relay): number {
    const { idle, halfClosed } = this.#plan.timeouts;
    return relay.halfClosed ? halfClosed : idle;
  }

  #terminationOf(outcome: RelayOutcome): Termination {
    if (outcome.reason !== 'aborted') return { by: outcome.by, phase: 'relay', reason: outcome.reason };
    return this.#abortedAs ?? { by: 'balancer', phase: 'relay', reason: 'stopped' };
  }

  #end(termination: Termination): void {
    this.#isEnded = true;
    this.#count(termination);
    this.#deps.onEnd(this, termination, undefined);
  }

  #count(termination: Termination, relayed?: RelayOutcome): void {
    if (relayed !== undefined) this.countBytes(relayed);
    const lastedMs = (relayed?.endedMs ?? this.#deps.now()) - this.#startedMs;
    countEnd(this.front, this.#upstream, this.#dispatch, lastedMs, termination, relayed);
  }

  /** By the wall clock as it is set now, less the time that has passed since. */
  #startedAtMs(): number {
    return this.#deps.wallClock() - (this.#deps.now() - this.#startedMs);
  }
}
