/** Hostile PROXY headers: whatever comes, the parser answers, and what it answers holds. */
import { isIPv4, isIPv6 } from 'node:net';
import t from 'tap';
import {
  encodeProxyHeader,
  parseProxyHeader,
  TLV,
  V1_MAX_BYTES,
  V2_MAX_BYTES,
  type ParsedProxyHeader,
  type ProxyTlv,
} from '../../src/codec/proxy-protocol/index.ts';
import { Chance, FUZZ_INPUTS, FUZZ_SEED, fuzzed } from '../harness/fuzz.ts';

const chance = new Chance();
// `npm run fuzz` takes as long as it takes.
t.setTimeout(3_600_000);
const TYPES = [...Object.values(TLV), 0, 0x22, 0xea, 0xff];

function address(family: 'ipv4' | 'ipv6'): string {
  if (family === 'ipv4') return [...chance.bytes(4)].join('.');
  return Array.from({ length: 8 }, () => chance.number(chance.is(0.5) ? 2 : 0x10000).toString(16)).join(':');
}

function tlvs(): ProxyTlv[] {
  const all = Array.from({ length: chance.number(4) }, () => {
    const type = chance.of(TYPES);
    const length = type === TLV.crc32c ? 4 : chance.number(type === TLV.uniqueId ? 129 : 40);
    return { type, value: chance.bytes(length) };
  });
  const checksum = all.findIndex(({ type }) => type === TLV.crc32c);
  return all.filter(({ type }, i) => type !== TLV.crc32c || i === checksum);
}

function sound(): Buffer {
  const version = chance.of([1, 2] as const);
  const command = chance.is(0.9) ? 'proxy' : 'local';
  const kind = chance.of(['ipv4', 'ipv6', 'unix', 'none'] as const);
  const transport = chance.of(['stream', 'datagram'] as const);
  if (kind === 'none' || kind === 'unix') {
    const source = chance.bytes(chance.number(109));
    const addresses =
      kind === 'none' ? undefined : ({ family: 'unix', transport, source, destination: source } as const);
    return Buffer.from(encodeProxyHeader({ version, command, addresses, tlvs: tlvs() }));
  }
  const end = () => ({ address: address(kind), port: chance.number(65_536) });
  const addresses = { family: kind, transport, source: end(), destination: end() };
  return Buffer.from(encodeProxyHeader({ version, command, addresses, tlvs: tlvs() }));
}

function input(): Buffer {
  if (chance.is(0.1)) return chance.bytes(chance.number(60));
  const bytes = chance.is(0.1) ? Buffer.concat([sound().subarray(0, 16), chance.bytes(60)]) : sound();
  // TLVs of any kind behind sound addresses.
  if (chance.is(0.2) && bytes.length > 16)
    bytes.writeUInt16BE(chance.number(chance.is(0.9) ? 300 : 0x10000), 14);
  return Buffer.concat([chance.mutated(bytes), chance.bytes(chance.number(20))]);
}

/** What is wrong with an answer; undefined: nothing. */
function wrong(bytes: Buffer, parsed: ParsedProxyHeader): string | undefined {
  const { kind } = parsed;
  if (kind === 'incomplete') {
    if (parsed.bytes <= bytes.length) return 'it has what it asks for';
    return parsed.bytes > V2_MAX_BYTES ? 'it asks for too much' : undefined;
  }
  if (kind === 'header') {
    const { header, bytes: length } = parsed;
    if (length > bytes.length) return 'it is longer than the bytes';
    if (length > (header.version === 1 ? V1_MAX_BYTES : V2_MAX_BYTES)) return 'it is too long';
    if (header.addresses !== undefined && header.addresses.family !== 'unix') {
      const isAddress = header.addresses.family === 'ipv4' ? isIPv4 : isIPv6;
      if (!isAddress(header.addresses.source.address)) return 'a source that is no address';
    }
    // The same again, if it is written anew. A header of version 1 may have a longer form of its addresses.
    const again = parseProxyHeader(encodeProxyHeader(header));
    if (again.kind !== 'header' || textOf(again.header.tlvs) !== textOf(header.tlvs))
      return 'it is another one';
  }
  // Whatever follows changes nothing.
  const more = parseProxyHeader(Buffer.concat([bytes, chance.bytes(1 + chance.number(8))]));
  if (JSON.stringify(more) !== JSON.stringify(parsed)) return 'more bytes change it';
  return undefined;
}

function textOf(tlvs: readonly ProxyTlv[]): string {
  // A checksum is that of the new header.
  return tlvs
    .map(({ type, value }) => `${type}:${type === TLV.crc32c ? '' : Buffer.from(value).toString('hex')}`)
    .join();
}

/** A line as the specification has it, read in another way. */
function isLine(bytes: Buffer): boolean {
  const text = bytes.subarray(0, V1_MAX_BYTES).toString('latin1');
  const [, rest] = /^PROXY ([ -~]*)\r\n/.exec(text) ?? [];
  if (rest === undefined) return false;
  if (/^UNKNOWN( |$)/.test(rest)) return true;
  const port = String.raw`(0|[1-9]\d{0,4})`;
  const [, kind, from = '', to = '', ...ports] =
    new RegExp(`^TCP([46]) ([^ ]+) ([^ ]+) ${port} ${port}$`).exec(rest) ?? [];
  const isAddress = (each: string) => (kind === '4' ? isIPv4(each) : isIPv6(each) && !each.includes('%'));
  return kind !== undefined && isAddress(from) && isAddress(to) && ports.every(each => Number(each) < 65_536);
}

function misread(bytes: Buffer, parsed: ParsedProxyHeader): string | undefined {
  const isV1 = parsed.kind === 'header' && parsed.header.version === 1;
  return isV1 === isLine(bytes) ? undefined : 'a line that the specification reads otherwise';
}

void t.test(`${FUZZ_INPUTS} inputs: it never throws, and its answers hold (seed ${FUZZ_SEED})`, t => {
  fuzzed(t, {
    chance,
    input,
    parse: parseProxyHeader,
    wrong: (bytes, parsed) => wrong(bytes, parsed) ?? misread(bytes, parsed),
    kinds: ['header', 'incomplete', 'absent', 'malformed', 'tooLong', 'badChecksum'],
  });
  t.end();
});
