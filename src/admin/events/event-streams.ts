/**
 * The clients that follow events (`GET /api/v1/events`): what each of them gets, and when one is ended.
 *
 * Place: the route adds clients; event-ring.ts has the events.
 * Invariants:
 * - Nothing runs and nothing is made while no client follows. What is sent is made once per turn or second for all
 *   clients that get the same, and they share its bytes.
 * - A client that does not read costs bounded memory: a status is left out while it has not taken the one before, and
 *   beyond `MOST_BUFFERED` bytes, or after two heartbeats of which it has taken nothing, it is ended. The log says so
 *   once per burst.
 * - Clients of TCP addresses cannot keep out those of the unix socket.
 */
import type { ServerResponse } from 'node:http';
import type { Log } from '../../observe/log.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { Caller } from '../caller.ts';
import { Problem } from '../problem.ts';
import type { EventRing, Recorded } from './event-ring.ts';
import { eventText, heartbeatText, missedText, openingText } from './event-text.ts';
import { SlowClients } from './slow-clients.ts';
import { STATUS_MS, StatusBytes, type StatusBody } from './status-bytes.ts';
import { StreamClient } from './stream-client.ts';

/** Half of the places that the admin API has at most. */
export const MOST_STREAMS = 64;
export const HEARTBEAT_MS = 15_000;

export interface EventStreamsDeps {
  readonly ring: EventRing;
  /** By TCP, and as many through the unix socket. */
  readonly mostStreams: number;
  /** What `GET /api/v1/status` answers. */
  readonly status: () => StatusBody;
  readonly log: Log;
  readonly setTimer: SetTimer;
  readonly wallClock: () => number;
  readonly uptimeMs: () => number;
}

/** What a client has asked for. */
export interface Wanted {
  /** Only events that name this upstream. */
  readonly upstream: string | undefined;
  /** An event `status` as often as this; undefined for none. */
  readonly statusMs: number | undefined;
  /** Number of past events to begin with. */
  readonly recent: number;
  /** Where it was before; more than `recent`. */
  readonly lastEventId: string | undefined;
}

export class EventStreams {
  readonly #deps: EventStreamsDeps;
  readonly #clients = new Set<StreamClient>();
  readonly #slow: SlowClients;
  readonly #status: StatusBytes;
  /** The last event that all clients have been sent. */
  #sent = 0;
  #isFlushing = false;
  #cancelHeartbeat: (() => void) | undefined;
  #cancelStatus: (() => void) | undefined;

  constructor(deps: EventStreamsDeps) {
    this.#deps = deps;
    this.#slow = new SlowClients(deps);
    this.#status = new StatusBytes(deps.status, deps.uptimeMs);
    deps.ring.watch(() => this.#flushSoon());
  }

  /** Answers with a stream that lasts until one of both sides ends it. Throws a `Problem` when there are too many. */
  add(response: ServerResponse, { via }: Caller, wanted: Wanted): void {
    const { socket } = response.req;
    if (socket.destroyed) return;
    // It stands behind an answer on the same connection.
    if (response.socket === null) throw new Problem(400, 'a stream needs a connection of its own');
    const isLocal = via === 'socket';
    const others = [...this.#clients].filter(client => client.isLocal === isLocal).length;
    const { mostStreams } = this.#deps;
    if (others >= mostStreams) {
      const detail = `${mostStreams} clients follow events already, and there is no room for more`;
      throw new Problem(503, detail, { connection: 'close', 'retry-after': '10' });
    }
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // A proxy such as nginx would collect events first.
      'x-accel-buffering': 'no',
    });
    if (response.req.method === 'HEAD') {
      response.end();
      return;
    }
    // The others get what they have not been sent yet; this one begins after that.
    this.#flush();
    const client = new StreamClient(response, { ...wanted, isLocal });
    this.#clients.add(client);
    response.once('close', () => this.#remove(client));
    client.send(Buffer.from(this.#beginning(wanted)));
    this.#cancelHeartbeat ??= this.#deps.setTimer(() => this.#beat(), HEARTBEAT_MS);
    if (wanted.statusMs === undefined) return;
    client.send(this.#status.of(client.upstream));
    this.#cancelStatus ??= this.#deps.setTimer(() => this.#tick(), STATUS_MS);
  }

  /** Sends what is left to send, and ends every stream. */
  close(): void {
    this.#flush();
    for (const client of this.#clients) client.finish();
  }

  #remove(client: StreamClient): void {
    this.#clients.delete(client);
    if (this.#clients.size === 0) {
      this.#cancelHeartbeat?.();
      this.#cancelHeartbeat = undefined;
    }
    if (this.#wantStatus()) return;
    this.#cancelStatus?.();
    this.#cancelStatus = undefined;
    this.#status.forget();
  }

  /** Up to now: what the client has missed, or has asked to see. */
  #beginning({ upstream, recent, lastEventId }: Wanted): string {
    const { ring, wallClock } = this.#deps;
    const from = lastEventId === undefined ? undefined : ring.numberOf(lastEventId);
    const { missed, events } = ring.after(from ?? Math.max(0, ring.last - recent));
    const isLost = lastEventId !== undefined && (from === undefined || missed > 0);
    const texts = [openingText(ring.idOf(from ?? ring.last - events.length))];
    if (isLost) texts.push(missedText(from === undefined ? undefined : missed, wallClock()));
    texts.push(this.#textOf(events, upstream));
    return texts.join('');
  }

  #textOf(events: readonly Recorded[], upstream: string | undefined): string {
    const { ring } = this.#deps;
    return events
      .filter(event => upstream === undefined || names(event, upstream))
      .map(event => eventText(event, ring.idOf(event.number)))
      .join('');
  }

  /** All events of a turn go out together. */
  #flushSoon(): void {
    if (this.#isFlushing || this.#clients.size === 0) return;
    this.#isFlushing = true;
    setImmediate(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { ring, wallClock } = this.#deps;
    const since = this.#sent;
    this.#sent = ring.last;
    if (since === ring.last || this.#clients.size === 0) return;
    const { missed, events } = ring.after(since);
    const lost = missed === 0 ? '' : missedText(missed, wallClock());
    const bytes = onceFor((upstream: string | undefined) =>
      Buffer.from(lost + this.#textOf(events, upstream)),
    );
    for (const client of this.#clients) this.#send(client, bytes(client.upstream));
  }

  #beat(): void {
    const { ring, setTimer } = this.#deps;
    // Before an id is passed on, everything up to it must have been.
    this.#flush();
    const bytes = Buffer.from(heartbeatText(ring.idOf(this.#sent)));
    for (const client of this.#clients) {
      if (client.isStuck()) this.#end(client);
      else if (!client.isBehind) client.send(bytes);
    }
    this.#cancelHeartbeat = this.#clients.size === 0 ? undefined : setTimer(() => this.#beat(), HEARTBEAT_MS);
  }

  #tick(): void {
    this.#status.forget();
    for (const client of this.#clients) {
      // A client that has not taken what it was sent before gets a later one.
      if (client.isStatusDue(STATUS_MS) && !client.isBehind) client.send(this.#status.of(client.upstream));
    }
    this.#cancelStatus = this.#wantStatus() ? this.#deps.setTimer(() => this.#tick(), STATUS_MS) : undefined;
  }

  #wantStatus(): boolean {
    return [...this.#clients].some(({ statusMs }) => statusMs !== undefined);
  }

  #send(client: StreamClient, bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (client.isFull) this.#end(client);
    else client.send(bytes);
  }

  #end(client: StreamClient): void {
    this.#clients.delete(client);
    client.end();
    this.#slow.count();
  }
}

/** Whether an event is about this upstream. */
function names({ fields }: Recorded, upstream: string): boolean {
  if ('upstream' in fields) return fields.upstream === upstream;
  return 'upstreams' in fields && fields.upstreams.includes(upstream);
}

function onceFor<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return key => {
    let value = made.get(key);
    if (value === undefined) made.set(key, (value = make(key)));
    return value;
  };
}
