/**
 * ClientHellos made by hand, sound or not, in one record or in many; and those that real programs send.
 */
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import type { Teardown } from './teardown.ts';

export type Extension = readonly [type: number, value: Uint8Array];

export interface HelloParts {
  readonly version?: number;
  readonly sessionId?: Uint8Array;
  readonly ciphers?: Uint8Array;
  readonly compressions?: Uint8Array;
  /** `null`: none at all, as clients of SSL 3.0 send it. */
  readonly extensions?: readonly Extension[] | null;
  /** Behind everything, within the message. */
  readonly behind?: Uint8Array;
}

export const EXTENSION = { serverName: 0, alpn: 16, padding: 21, versions: 43, ech: 0xfe0d, grease: 0x2a2a };

export function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

export function short(...bytes: readonly Uint8Array[]): Buffer {
  const all = Buffer.concat(bytes);
  return Buffer.concat([Buffer.from([all.length]), all]);
}

export function long(...bytes: readonly Uint8Array[]): Buffer {
  const all = Buffer.concat(bytes);
  return Buffer.concat([uint16(all.length), all]);
}

/** Of names with their types; a name that is text is one of a host. */
export function serverName(
  ...names: readonly (string | readonly [type: number, name: Uint8Array])[]
): Extension {
  const entries = names.map(name =>
    typeof name === 'string'
      ? Buffer.concat([Buffer.from([0]), long(Buffer.from(name, 'latin1'))])
      : Buffer.concat([Buffer.from([name[0]]), long(name[1])]),
  );
  return [EXTENSION.serverName, long(...entries)];
}

export function alpn(...protocols: readonly string[]): Extension {
  return [EXTENSION.alpn, long(...protocols.map(each => short(Buffer.from(each, 'latin1'))))];
}

export function supportedVersions(...versions: readonly number[]): Extension {
  return [EXTENSION.versions, short(...versions.map(uint16))];
}

/** The message with its head of 4 bytes, in no record. */
export function helloMessage(parts: HelloParts = {}): Buffer {
  const { version = 0x0303, extensions = [] } = parts;
  const body = Buffer.concat([
    uint16(version),
    Buffer.alloc(32, 7),
    short(parts.sessionId ?? Buffer.alloc(32, 9)),
    long(parts.ciphers ?? Buffer.from([0x2a, 0x2a, 0x13, 0x01])),
    short(parts.compressions ?? Buffer.from([0])),
    extensions === null
      ? Buffer.alloc(0)
      : long(...extensions.flatMap(([type, value]) => [uint16(type), long(value)])),
    parts.behind ?? Buffer.alloc(0),
  ]);
  const head = Buffer.from([1, body.length >> 16, (body.length >> 8) & 0xff, body.length & 0xff]);
  return Buffer.concat([head, body]);
}

/** A message in records of these sizes; what is left is in records of the last of them. */
export function inRecords(
  message: Uint8Array,
  sizes: readonly number[] = [16_384],
  version = 0x0301,
): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length;) {
    const size = sizes[Math.min(records.length, sizes.length - 1)] ?? message.length;
    const part = message.subarray(at, at + size);
    records.push(Buffer.concat([Buffer.from([22]), uint16(version), long(part)]));
    at += size;
  }
  return Buffer.concat(records);
}

/** One that names a host, in one record. */
export function helloFor(name: string | undefined, ...protocols: readonly string[]): Buffer {
  const extensions = [
    ...(name === undefined ? [] : [serverName(name)]),
    ...(protocols.length === 0 ? [] : [alpn(...protocols)]),
  ];
  return inRecords(helloMessage({ extensions }));
}

/** What the client that `connect` starts sends before it gets an answer; `isEnough` says when. */
export async function captured(
  t: Teardown,
  connect: (port: number) => void,
  isEnough: (bytes: Buffer) => boolean,
): Promise<Buffer> {
  const server = createServer();
  t.teardown(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    server.once('connection', socket => {
      socket.on('error', () => undefined);
      socket.on('data', chunk => {
        bytes = Buffer.concat([bytes, chunk]);
        if (!isEnough(bytes)) return;
        resolve(bytes);
        socket.destroy();
      });
      socket.on('end', () => reject(new Error(`it ended after ${bytes.length} bytes`)));
    });
    connect((server.address() as AddressInfo).port);
  });
}
