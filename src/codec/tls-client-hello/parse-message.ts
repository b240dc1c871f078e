/**
 * A whole ClientHello without its head (RFC 8446 4.1.2): its extensions, and of these the name, the protocols and the
 * versions.
 *
 * Place: a part of parse.ts, which has found the message.
 * What is strict: what a reader behind lb4 might take in another way. Each extension that is read stands there at most
 * once, each list is as long as it says, and there is one name.
 * What is lenient: extensions that are not read, their order, and values without meaning (RFC 8701).
 */
import { hostNameOf } from '../../support/host-name.ts';
import { Fields } from './fields.ts';
import type { ClientHello, HelloProblem } from './hello.ts';

const MAJOR_VERSION = 3;
const RANDOM_BYTES = 32;
const SESSION_ID_MAX_BYTES = 32;
const [SERVER_NAME, ALPN, SUPPORTED_VERSIONS] = [0, 16, 43];
const HOST_NAME = 0;

export function parseMessage(bytes: Uint8Array): ClientHello | HelloProblem {
  const fields = new Fields(bytes);
  const version = fields.uint16();
  fields.bytes(RANDOM_BYTES);
  const sessionId = fields.short();
  const ciphers = fields.long();
  const compressions = fields.short();
  const isSound =
    version >> 8 === MAJOR_VERSION &&
    sessionId.length <= SESSION_ID_MAX_BYTES &&
    ciphers.length >= 2 &&
    ciphers.length % 2 === 0 &&
    compressions.length >= 1;
  if (!isSound || fields.isBroken) return 'malformed';
  // Before TLS 1.2 there may be no extensions.
  const extensions = fields.isAtEnd() ? new Map<number, Uint8Array>() : readExtensions(fields.long());
  if (extensions === undefined || !fields.isDone) return 'malformed';
  return helloOf(extensions, version);
}

/** Those that are read, by their type; undefined: they are malformed. */
function readExtensions(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> | undefined {
  const found = new Map<number, Uint8Array>();
  const fields = new Fields(bytes);
  while (!fields.isAtEnd()) {
    const type = fields.uint16();
    const value = fields.long();
    if (type !== SERVER_NAME && type !== ALPN && type !== SUPPORTED_VERSIONS) continue;
    if (found.has(type)) return undefined;
    found.set(type, value);
  }
  return fields.isBroken ? undefined : found;
}

function helloOf(extensions: ReadonlyMap<number, Uint8Array>, version: number): ClientHello | HelloProblem {
  const names = extensions.get(SERVER_NAME);
  const protocols = extensions.get(ALPN);
  const offered = extensions.get(SUPPORTED_VERSIONS);
  const alpn = protocols === undefined ? [] : readProtocols(protocols);
  const versions = offered === undefined ? [version] : readVersions(offered);
  const name = names === undefined ? undefined : readName(names);
  if (alpn === undefined || versions === undefined || name === 'malformed') return 'malformed';
  const serverName = name && hostNameOf(textOf(name));
  if (name !== undefined && serverName === undefined) return 'badServerName';
  return { serverName, alpn, versions };
}

/** A list with one name of a host; names of other types are skipped (RFC 6066 3). Undefined: there are only such. */
function readName(bytes: Uint8Array): Uint8Array | 'malformed' | undefined {
  const extension = new Fields(bytes);
  const list = new Fields(extension.long());
  if (!extension.isDone || list.isAtEnd()) return 'malformed';
  let name: Uint8Array | undefined;
  while (!list.isAtEnd()) {
    const type = list.uint8();
    const value = list.long();
    if (type !== HOST_NAME) continue;
    if (name !== undefined) return 'malformed';
    name = value;
  }
  return list.isBroken ? 'malformed' : name;
}

function readProtocols(bytes: Uint8Array): readonly string[] | undefined {
  const extension = new Fields(bytes);
  const list = new Fields(extension.long());
  if (!extension.isDone || list.isAtEnd()) return undefined;
  const protocols: string[] = [];
  while (!list.isAtEnd()) {
    const protocol = list.short();
    if (protocol.length === 0) return undefined;
    protocols.push(textOf(protocol));
  }
  return list.isBroken ? undefined : protocols;
}

function readVersions(bytes: Uint8Array): readonly number[] | undefined {
  const extension = new Fields(bytes);
  const list = new Fields(extension.short());
  if (!extension.isDone || list.isAtEnd()) return undefined;
  const versions: number[] = [];
  while (!list.isAtEnd()) {
    const version = list.uint16();
    if (version >> 8 === MAJOR_VERSION) versions.push(version);
  }
  return list.isBroken ? undefined : versions;
}

/** A character for each byte. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
