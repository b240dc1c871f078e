/** PROXY headers, written: what is written is read again as the same, however it is cut into pieces. */
import t from 'tap';
import {
  encodeProxyHeader,
  encodeSslTlv,
  parseProxyHeader,
  parseSslTlv,
  TLV,
  V2_MAX_BYTES,
  type IpAddresses,
  type ProxyHeader,
  type ProxyHeaderInput,
  type UnixAddresses,
} from '../../../../src/codec/proxy-protocol/index.ts';
import { fc } from '../../../harness/properties.ts';

const port = fc.integer({ min: 0, max: 65_535 });
const end = (family: 'ipv4' | 'ipv6') => {
  const address =
    family === 'ipv4'
      ? fc.ipV4()
      : fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }).map(groups => {
          // In the form of RFC 5952, as it is read.
          return new URL(`http://[${groups.map(group => group.toString(16)).join(':')}]/`).hostname.slice(
            1,
            -1,
          );
        });
  return fc.record({ address, port });
};
const ip = fc.constantFrom('ipv4' as const, 'ipv6' as const).chain(family =>
  fc.record({
    family: fc.constant(family),
    transport: fc.constantFrom('stream' as const, 'datagram' as const),
    source: end(family),
    destination: end(family),
  }),
);
const path = fc
  .uint8Array({ maxLength: 108 })
  // Zeros at the end cannot be told from none.
  .map(bytes => Uint8Array.from([...bytes].slice(0, [...bytes].findLastIndex(byte => byte !== 0) + 1)));
const unix = fc.record({
  family: fc.constant('unix' as const),
  transport: fc.constantFrom('stream' as const, 'datagram' as const),
  source: path,
  destination: path,
});
const tlv = fc.record({
  type: fc
    .integer({ min: 0, max: 255 })
    .filter(type => ![TLV.crc32c, TLV.ssl, TLV.uniqueId].some(t => t === type)),
  value: fc.uint8Array({ maxLength: 200 }),
});
const addresses: fc.Arbitrary<IpAddresses | UnixAddresses | undefined> = fc.option(fc.oneof(ip, unix), {
  nil: undefined,
});
const header = fc.record({
  version: fc.constant(2 as const),
  command: fc.constant('proxy' as const),
  addresses,
  tlvs: fc.array(tlv, { maxLength: 6 }),
});

/** The header, read from all of `bytes`. */
function readBack(bytes: Uint8Array): ProxyHeader {
  const parsed = parseProxyHeader(bytes);
  t.equal(parsed.kind, 'header');
  if (parsed.kind !== 'header') throw new Error(JSON.stringify(parsed));
  t.equal(parsed.bytes, bytes.length);
  return parsed.header;
}

void t.test('what is written in version 2 is read as the same', t => {
  fc.assert(
    fc.property(header, input => {
      const parsed = parseProxyHeader(encodeProxyHeader(input));
      return parsed.kind === 'header' && fc.stringify(plain(parsed.header)) === fc.stringify(plain(input));
    }),
  );
  t.end();
});

void t.test('what is written in version 1 is read as the same', t => {
  fc.assert(
    fc.property(ip, each => {
      const input: ProxyHeaderInput = {
        version: 1,
        command: 'proxy',
        addresses: { ...each, transport: 'stream' },
      };
      const parsed = parseProxyHeader(encodeProxyHeader(input));
      if (parsed.kind !== 'header') return false;
      return encodeProxyHeader(parsed.header).toString() === encodeProxyHeader(input).toString();
    }),
  );
  t.end();
});

void t.test('wherever the bytes are cut, there is one answer, and it comes with the last byte', t => {
  fc.assert(
    fc.property(
      header,
      fc.constantFrom(1 as const, 2 as const),
      fc.uint8Array(),
      (input, version, payload) => {
        const bytes = encodeProxyHeader({ ...input, version });
        const all = Buffer.concat([bytes, payload]);
        for (let length = 0; length < all.length; length++) {
          const parsed = parseProxyHeader(all.subarray(0, length));
          if (length >= bytes.length) {
            if (parsed.kind !== 'header' || parsed.bytes !== bytes.length) return false;
          } else if (parsed.kind !== 'incomplete' || parsed.bytes <= length) return false;
        }
        return true;
      },
    ),
    { numRuns: 50 },
  );
  t.end();
});

void t.test('a checksum is set, and one bit that changes is found', t => {
  fc.assert(
    fc.property(ip, fc.nat(), (addresses, at) => {
      const tlvs = [{ type: TLV.crc32c, value: new Uint8Array(4) }];
      const bytes = encodeProxyHeader({ version: 2, command: 'proxy', addresses, tlvs });
      if (parseProxyHeader(bytes).kind !== 'header') return false;
      // Of the addresses or of the checksum itself; between them are its type and its length.
      const addressBytes = bytes.length - 16 - 7;
      const byte = at % (addressBytes + 4);
      const changed = 16 + byte + (byte < addressBytes ? 0 : 3);
      bytes[changed] = (bytes[changed] ?? 0) ^ (1 << (at & 7));
      const parsed = parseProxyHeader(bytes);
      return parsed.kind === 'invalid' && parsed.problem === 'badChecksum';
    }),
  );
  t.end();
});

void t.test('TLS facts are written and read as the same', t => {
  const tlvs = [
    { type: 0x21, value: Buffer.from('TLSv1.3') },
    { type: 0x28, value: Buffer.alloc(300) },
  ];
  const ssl = { client: 5, verify: 0xfffffffe, tlvs };
  t.same(parseSslTlv(encodeSslTlv(ssl)), ssl);
  t.equal(parseSslTlv(Buffer.alloc(4)), undefined);
  t.end();
});

void t.test('addresses of different families are written in one', t => {
  const source = { address: '192.0.2.1', port: 1 };
  const destination = { address: '2001:db8::1', port: 2 };
  const input = {
    command: 'proxy',
    addresses: { family: 'ipv4', transport: 'stream', source, destination },
  } as const;
  t.equal(
    Buffer.from(encodeProxyHeader({ ...input, version: 1 })).toString(),
    'PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 1 2\r\n',
  );
  t.match(readBack(encodeProxyHeader({ ...input, version: 2 })), {
    addresses: { family: 'ipv6', source: { address: '::ffff:c000:201' }, destination },
  });
  t.end();
});

void t.test('an address that is long as text still fits into a line', t => {
  const long = 'fedc:ba98:7654:3210:fedc:ba98:255.255.255.255';
  const end = { address: long, port: 65_535 };
  const addresses = { family: 'ipv6', transport: 'stream', source: end, destination: end } as const;
  t.match(readBack(encodeProxyHeader({ version: 1, command: 'proxy', addresses })), {
    addresses: { source: { address: 'fedc:ba98:7654:3210:fedc:ba98:ffff:ffff' } },
  });
  t.end();
});

void t.test('what has no place in version 1 is unknown there', t => {
  const bytes = new Uint8Array(0);
  const unix = { family: 'unix', transport: 'stream', source: bytes, destination: bytes } as const;
  for (const addresses of [unix, undefined])
    t.equal(
      Buffer.from(encodeProxyHeader({ version: 1, command: 'proxy', addresses })).toString(),
      'PROXY UNKNOWN\r\n',
    );
  t.equal(
    Buffer.from(encodeProxyHeader({ version: 1, command: 'local', addresses: undefined })).toString(),
    'PROXY UNKNOWN\r\n',
  );
  t.end();
});

void t.test('LOCAL has neither addresses nor TLVs', t => {
  const tlvs = [{ type: TLV.authority, value: Buffer.from('a') }];
  const bytes = encodeProxyHeader({ version: 2, command: 'local', addresses: undefined, tlvs });
  t.equal(Buffer.from(bytes).toString('hex'), '0d0a0d0a000d0a515549540a20000000');
  t.end();
});

void t.test('a header that cannot be written is refused, with the reason', t => {
  const good = { address: '192.0.2.1', port: 1 };
  const of = (source: { address: string; port: number }): ProxyHeaderInput => ({
    version: 2,
    command: 'proxy',
    addresses: { family: 'ipv4', transport: 'stream', source, destination: good },
  });
  const value = (length: number) => new Uint8Array(length);
  const withTlvs = (...tlvs: { type: number; value: Uint8Array }[]): ProxyHeaderInput => ({
    ...of(good),
    tlvs,
  });
  const long = value(109);
  const unix = { family: 'unix', transport: 'stream', source: long, destination: long } as const;
  for (const [input, reason] of [
    [of({ address: 'example.com', port: 1 }), /no IP address: example.com/],
    [of({ address: 'fe80::1%lo', port: 1 }), /no IP address/],
    [of({ address: '192.0.2.1', port: 65_536 }), /a port that is not 0 to 65535: 65536/],
    [of({ address: '192.0.2.1', port: 1.5 }), /a port/],
    [{ ...of(good), addresses: unix }, /a path of more than 108 bytes/],
    [withTlvs({ type: 256, value: value(0) }), /type that is not 0 to 255: 256/],
    [withTlvs({ type: TLV.crc32c, value: value(3) }), /a checksum of 3 bytes/],
    [withTlvs({ type: TLV.crc32c, value: value(4) }, { type: TLV.crc32c, value: value(4) }), /two checksums/],
    [withTlvs({ type: TLV.uniqueId, value: value(129) }), /unique id of more than 128 bytes/],
    [withTlvs({ type: TLV.netns, value: value(V2_MAX_BYTES) }), /longer than 4096 bytes/],
  ] as const)
    t.throws(() => encodeProxyHeader(input), { name: 'RangeError', message: reason });
  t.end();
});

/** Bytes as plain arrays, whatever class they have. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, plain(each)]),
  );
}
