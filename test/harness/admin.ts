/**
 * The admin API over a balancer that a test makes up, on a unix socket or on TCP, and a client for it.
 */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { AdminServer } from '../../src/admin/admin-server.ts';
import type { Rules } from '../../src/admin/caller.ts';
import type { AdminPort } from '../../src/admin/port.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import type { LoadBalancerSnapshot } from '../../src/model/snapshot.ts';
import type { Log, LogFields } from '../../src/observe/log.ts';
import { formatAddress, type Address } from '../../src/support/address.ts';
import { setUnrefTimer, type SetTimer } from '../../src/support/timer.ts';
import { FakeBalancer, snapshotWith } from './fake-balancer.ts';
import type { Teardown } from './teardown.ts';
import { temporaryFolder } from './temporary-folder.ts';

export { temporaryFolder };

export interface Entry {
  readonly level: string;
  readonly event: string;
  readonly message: string | undefined;
  readonly fields: LogFields | undefined;
}

export function recordingLog(entries: Entry[]): Log {
  return {
    format: 'json',
    isEnabled: () => true,
    write: (level, event, message, fields) => entries.push({ level, event, message, fields }),
    lose: () => undefined,
  };
}

/** A port whose balancer shows `snapshot` and takes no change; fake-balancer.ts has one that does. */
export function fakePort(
  snapshot: () => LoadBalancerSnapshot = snapshotWith,
  parts: Partial<Omit<AdminPort, 'balancer'>> = {},
): AdminPort {
  return portOf(Object.assign(new FakeBalancer(), { snapshot }), parts);
}

export function portOf(
  balancer: AdminPort['balancer'],
  parts: Partial<Omit<AdminPort, 'balancer'>> = {},
): AdminPort {
  return {
    about: { name: 'default', version: '0.1.0', pid: 1 },
    readyNeeds: 'listeners',
    drain: () => undefined,
    ...parts,
    balancer,
  };
}

export interface StartedAdmin {
  readonly server: AdminServer;
  readonly address: Address;
  /** Of the dashboard; empty on a unix socket. */
  readonly url: string;
  readonly entries: readonly Entry[];
  readonly ask: (method: string, path: string, options?: AskOptions) => Promise<Answered>;
}

export async function startAdmin(
  t: Teardown,
  {
    port = fakePort(),
    rules,
    tcp = false,
    mostClients = 128,
    setTimer = setUnrefTimer,
    uptimeMs = () => 1,
    wallClock = () => Date.now(),
  }: {
    port?: AdminPort;
    rules?: Partial<Rules>;
    tcp?: boolean;
    mostClients?: number;
    setTimer?: SetTimer;
    uptimeMs?: () => number;
    wallClock?: () => number;
  } = {},
): Promise<StartedAdmin> {
  const entries: Entry[] = [];
  const loaded = loadLibc();
  const server = new AdminServer({
    port,
    rules: { token: undefined, hosts: [], ...rules },
    mostClients,
    log: recordingLog(entries),
    setTimer,
    libc: () => (loaded.ok ? loaded.libc : undefined),
    wallClock,
    uptimeMs,
  });
  t.teardown(() => server.close());
  const address = await server.listen(
    tcp
      ? { kind: 'tcp', host: '127.0.0.1', port: 0 }
      : { kind: 'unix', path: join(temporaryFolder(t), 's.sock') },
  );
  return {
    server,
    address,
    url: address.kind === 'tcp' ? `http://${formatAddress(address)}/` : '',
    entries,
    ask: (method, path, options) => askAdmin(address, method, path, options),
  };
}

export interface AskOptions {
  readonly headers?: Record<string, string>;
  /** Sent as it is when it is text, as JSON otherwise. */
  readonly body?: unknown;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Empty when it is no JSON. */
  readonly json: Readonly<Record<string, unknown>>;
}

export function askAdmin(
  address: Address,
  method: string,
  path: string,
  { headers = {}, body }: AskOptions = {},
): Promise<Answered> {
  const where =
    address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        ...where,
        ...{ method, path, agent: false },
        headers: { ...(payload === undefined ? {} : bodyHeaders(payload, headers)), ...headers },
      },
      response => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.once('error', reject);
        response.once('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            json: parsed(text),
          });
        });
      },
    );
    request.once('error', reject);
    request.end(payload);
  });
}

/** Node announces no body of a DELETE by itself. */
function bodyHeaders(payload: string, given: Record<string, string>): Record<string, string> {
  const length = 'transfer-encoding' in given ? {} : { 'content-length': String(Buffer.byteLength(payload)) };
  return { 'content-type': 'application/json', ...length };
}

function parsed(text: string): Answered['json'] {
  try {
    return Object(JSON.parse(text)) as Answered['json'];
  } catch {
    return {};
  }
}
