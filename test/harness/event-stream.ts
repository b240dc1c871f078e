/** A client of `GET /api/v1/events` that reads the stream as browsers do, and one that does not read. */
import { connect, type Socket } from 'node:net';
import { request as httpRequest } from 'node:http';
import type { Address } from '../../src/support/address.ts';
import type { Teardown } from './teardown.ts';
import { until } from './until.ts';

export interface StreamedEvent {
  readonly name: string;
  readonly id: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface EventStream {
  readonly status: number;
  readonly events: readonly StreamedEvent[];
  /** The id that a browser would send when it comes back. */
  readonly lastId: string;
  readonly retryMs: number;
  readonly comments: number;
  readonly isEnded: boolean;
  /** The events, once there are as many. */
  first(count: number): Promise<readonly StreamedEvent[]>;
  /** Stops reading, and closes. */
  close(): void;
}

type Where = { readonly socketPath: string } | { readonly host: string; readonly port: number };

const whereIs = (address: Address): Where =>
  address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };

/** Resolves when the answer begins. */
export function followEvents(
  t: Teardown,
  address: Address,
  { path = '/api/v1/events', headers = {} }: { path?: string; headers?: Record<string, string> } = {},
): Promise<EventStream> {
  const events: StreamedEvent[] = [];
  const state = { status: 0, lastId: '', retryMs: 0, comments: 0, isEnded: false };
  let text = '';
  const take = (piece: string): void => {
    text += piece;
    for (let end = text.indexOf('\n\n'); end !== -1; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      readBlock(lines, state, events);
    }
  };
  return new Promise((resolve, reject) => {
    const request = httpRequest({ ...whereIs(address), path, headers, agent: false }, response => {
      state.status = response.statusCode ?? 0;
      response.setEncoding('utf8').on('data', take);
      response.once('error', () => undefined);
      response.once('close', () => (state.isEnded = true));
      resolve(
        Object.assign(Object.create(state) as typeof state, {
          events,
          first: async (count: number) => {
            await until(`there are ${count} events`, () => events.length >= count);
            return events;
          },
          close: () => request.destroy(),
        }),
      );
    });
    request.once('error', reject);
    request.end();
    t.teardown(() => request.destroy());
  });
}

interface State {
  lastId: string;
  retryMs: number;
  comments: number;
}

function readBlock(lines: readonly string[], state: State, events: StreamedEvent[]): void {
  let name = 'message';
  let id: string | undefined;
  const data: string[] = [];
  for (const line of lines) {
    const [, field = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === '') state.comments++;
    else if (field === 'event') name = value;
    else if (field === 'data') data.push(value);
    else if (field === 'retry') state.retryMs = Number(value);
    else if (field === 'id') state.lastId = id = value;
    else throw new Error(`no such field: ${line}`);
  }
  if (data.length === 0) return;
  events.push({ name, id, data: JSON.parse(data.join('\n')) as StreamedEvent['data'] });
}

/** Asks for a stream and never reads it. */
export function askWithoutReading(t: Teardown, address: Address, path = '/api/v1/events'): Socket {
  const socket = connect(address.kind === 'unix' ? { path: address.path } : { ...address });
  t.teardown(() => socket.destroy());
  socket.pause().on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  return socket;
}
