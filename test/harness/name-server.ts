/**
 * A name server that answers as the test says, over UDP and, for what is truncated, over TCP.
 *
 * Place: tests of src/names. Knows A and AAAA; one question per message, as resolvers send them.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { Resolver } from 'node:dns/promises';
import type { NameServer as Resolving } from '../../src/names/name-servers.ts';
import { bytesOfIPv6 } from '../../src/support/ip-bytes.ts';
import type { Teardown } from './teardown.ts';

export type DnsType = 'A' | 'AAAA';

export interface DnsReply {
  /** IPv4 for A, IPv6 for AAAA; others are left out. */
  readonly addresses?: readonly string[];
  /** Names on the way to the addresses. */
  readonly aliases?: readonly string[];
  readonly rcode?: 'NOERROR' | 'SERVFAIL' | 'NXDOMAIN' | 'NOTIMP' | 'REFUSED';
  /** Over UDP only a word that the answer is too long for it. */
  readonly truncated?: boolean;
}

/** Undefined: no answer at all. */
export type Answering = (name: string, type: DnsType, over: 'udp' | 'tcp') => DnsReply | undefined;

export interface FakeNameServer {
  /** As `setServers` takes it. */
  readonly address: string;
  /** `A name` and `AAAA name`, in the order in which they came. */
  readonly questions: readonly string[];
  answering: Answering;
}

const RCODES = { NOERROR: 0, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 } as const;
const TYPES: Readonly<Record<number, DnsType>> = { 1: 'A', 28: 'AAAA' };

/** Starts one on 127.0.0.1, unless told where; it ends with the test. */
export async function startNameServer(
  t: Teardown,
  answering: Answering = () => undefined,
  where: { readonly host: string; readonly port: number } = { host: '127.0.0.1', port: 0 },
): Promise<FakeNameServer> {
  const questions: string[] = [];
  const server = { address: '', questions, answering };
  const replyTo = (message: Buffer, over: 'udp' | 'tcp'): Buffer | undefined => {
    const { name, type, end } = readQuestion(message);
    questions.push(`${type} ${name}`);
    const reply = server.answering(name, type, over);
    return reply && encodeReply(message.subarray(0, end), type, reply, over);
  };
  const tcp = createServer(socket => {
    socket.on('error', () => undefined);
    let read = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      read = Buffer.concat([read, data]);
      // Each message has its length before it; resolvers send several on one connection.
      while (read.length >= 2 && read.length >= 2 + read.readUInt16BE(0)) {
        const end = 2 + read.readUInt16BE(0);
        const reply = replyTo(read.subarray(2, end), 'tcp');
        read = read.subarray(end);
        if (reply === undefined) continue;
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.write(Buffer.concat([length, reply]));
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    tcp.once('error', reject).listen(where.port, where.host, resolve);
  });
  const bound = tcp.address();
  if (bound === null || typeof bound === 'string') throw new Error('not a TCP server');
  const udp = createSocket('udp4');
  udp.on('message', (message, { port, address }) => {
    const reply = replyTo(message, 'udp');
    if (reply !== undefined) udp.send(reply, port, address);
  });
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject).bind(bound.port, where.host, resolve);
  });
  t.teardown(() => {
    udp.close();
    tcp.close();
  });
  server.address = `${where.host}:${bound.port}`;
  return server;
}

/** What `Names` makes of the name servers of a resolv.conf, over servers on ports of their own. */
export function serversByName(
  servers: Readonly<Record<string, string>>,
): (address: string | undefined) => Resolving {
  return (address = '') => {
    const resolver = new Resolver({ timeout: 5_000, tries: 1 });
    resolver.setServers([servers[address] ?? address]);
    return resolver;
  };
}

function readQuestion(message: Buffer): { name: string; type: DnsType; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at] ?? 0; length > 0; length = message[at] ?? 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = TYPES[message.readUInt16BE(at + 1)];
  if (type === undefined) throw new Error('a question for something else than an address');
  return { name: labels.join('.').toLowerCase(), type, end: at + 5 };
}

/** `asked` is the header and the question, which are repeated. */
function encodeReply(asked: Buffer, type: DnsType, reply: DnsReply, over: 'udp' | 'tcp'): Buffer {
  const { addresses = [], aliases = [], rcode = 'NOERROR', truncated = false } = reply;
  const isCut = truncated && over === 'udp';
  const records: Buffer[] = [];
  // Each record's owner: the question's name at first, then the alias before.
  let owner: Buffer = Buffer.from([0xc0, 12]);
  for (const alias of isCut ? [] : aliases) {
    const target = encodeName(alias);
    records.push(record(owner, 5, target));
    owner = target;
  }
  for (const address of isCut ? [] : addresses) {
    if (address.includes(':') !== (type === 'AAAA')) continue;
    records.push(record(owner, type === 'A' ? 1 : 28, bytesOf(address)));
  }
  const header = Buffer.from(asked.subarray(0, 12));
  header.writeUInt16BE(0x8180 | RCODES[rcode] | (isCut ? 0x0200 : 0), 2);
  header.writeUInt16BE(records.length, 6);
  header.fill(0, 8, 12);
  return Buffer.concat([header, asked.subarray(12), ...records]);
}

function record(owner: Buffer, type: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(60, 4);
  fixed.writeUInt16BE(data.length, 8);
  return Buffer.concat([owner, fixed, data]);
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').map(label => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function bytesOf(address: string): Buffer {
  return Buffer.from(address.includes(':') ? bytesOfIPv6(address) : address.split('.').map(Number));
}
