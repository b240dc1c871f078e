/** PROXY headers, read: the specification's own examples, every form, what is refused, and bytes that come one by one. */
import t from 'tap';
import {
  parseProxyHeader,
  parseSslTlv,
  TLV,
  tlvOf,
  V1_MAX_BYTES,
  V2_MAX_BYTES,
  type ParsedProxyHeader,
  type ProxyHeader,
} from '../../../../src/codec/proxy-protocol/index.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const line = (text: string) => parseProxyHeader(Buffer.from(text, 'latin1'));
const hex = (text: string) => parseProxyHeader(Buffer.from(text.replace(/\s/g, ''), 'hex'));
const v2 = (command: string, family: string, rest: string) => {
  const length = (rest.replace(/\s/g, '').length / 2).toString(16).padStart(4, '0');
  return hex(`${SIGNATURE} ${command} ${family} ${length} ${rest}`);
};
const headerOf = (parsed: ParsedProxyHeader): ProxyHeader => {
  if (parsed.kind !== 'header') throw new Error(JSON.stringify(parsed));
  return parsed.header;
};
const MALFORMED = { kind: 'invalid', problem: 'malformed' };

void t.test("the specification's examples of version 1 are read", t => {
  const example = 'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n';
  t.strictSame(line(`${example}GET / HTTP/1.1\r\nHost: 192.168.0.11\r\n\r\n`), {
    kind: 'header',
    bytes: example.length,
    header: {
      version: 1,
      command: 'proxy',
      addresses: {
        family: 'ipv4',
        transport: 'stream',
        source: { address: '192.168.0.1', port: 56324 },
        destination: { address: '192.168.0.11', port: 443 },
      },
      tlvs: [],
    },
  });
  // The longest lines, with their lengths.
  const most = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
  const longest = [
    ['PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n', 56],
    [`PROXY TCP6 ${most} ${most} 65535 65535\r\n`, 104],
    ['PROXY UNKNOWN\r\n', 15],
    [`PROXY UNKNOWN ${most} ${most} 65535 65535\r\n`, V1_MAX_BYTES],
  ] as const;
  for (const [text, bytes] of longest) t.match(line(text), { kind: 'header', bytes });
  t.end();
});

void t.test('an unknown address is one, whatever follows the word', t => {
  for (const text of ['PROXY UNKNOWN\r\n', 'PROXY UNKNOWN \r\n', 'PROXY UNKNOWN what ever\r\n'])
    t.match(line(text), { kind: 'header', header: { command: 'proxy', addresses: undefined } });
  const odd = ['\x1b[2J', '\0', 'é', '\t', '\r', '\n', '\r\r', '\n\r', '\r \n'];
  for (const text of odd.map(each => `PROXY UNKNOWN ${each}\r\n`)) {
    t.match(line(`${text}hello`), { kind: 'header', bytes: text.length }, JSON.stringify(text));
    for (let i = 0; i < text.length; i++) t.equal(line(text.slice(0, i)).kind, 'incomplete');
  }
  const longest = `PROXY UNKNOWN ${'\x1b'.repeat(V1_MAX_BYTES - 16)}\r\n`;
  t.match(line(longest), { kind: 'header', bytes: V1_MAX_BYTES });
  t.same(line(longest.replace('\r', '\x1b\r')), { kind: 'invalid', problem: 'tooLong' });
  t.same(line(longest.replace('\r\n', '\x1b\x1b')), { kind: 'invalid', problem: 'tooLong' });
  for (const text of ['PROXY UNKNOWNS\r\n', 'PROXY UNKNOWN\x1b\r\n', 'PROXY UNKNOWN\r\r\n', 'PROXY \x1b\r\n'])
    t.same(line(text), MALFORMED);
  t.end();
});

void t.test('a line that is not exactly as specified is refused', t => {
  const wrong = [
    'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\n',
    'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\r\n',
    'PROXY TCP4 192.168.0.1  192.168.0.11 56324 443\r\n',
    ' PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n'.slice(1).replace('TCP4', ' TCP4'),
    'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443 \r\n',
    'PROXY TCP4 192.168.0.1 192.168.0.11 56324\r\n',
    'PROXY TCP4 192.168.0.01 192.168.0.11 56324 443\r\n',
    'PROXY TCP4 192.168.0.256 192.168.0.11 56324 443\r\n',
    'PROXY TCP4 192.168.1 192.168.0.11 56324 443\r\n',
    'PROXY TCP4 192.168.0.1 192.168.0.11 056324 443\r\n',
    'PROXY TCP4 192.168.0.1 192.168.0.11 65536 443\r\n',
    'PROXY TCP4 192.168.0.1 192.168.0.11 -1 443\r\n',
    'PROXY TCP4 192.168.0.1 192.168.0.11 +1 443\r\n',
    'PROXY TCP4 192.168.0.1 192.168.0.11 0x1 443\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 192.168.0.1 192.168.0.11 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
    'PROXY TCP6 :::1 ::1 1 2\r\n',
    'PROXY TCP5 192.168.0.1 192.168.0.11 1 2\r\n',
    'PROXY tcp4 192.168.0.1 192.168.0.11 1 2\r\n',
    'PROXY UDP4 192.168.0.1 192.168.0.11 1 2\r\n',
    'PROXY \r\n',
    'PROXY TCP4 192.168.0.1\t192.168.0.11 1 2\r\n',
    'PROXY TCP4 192.168.0.1\0 192.168.0.11 1 2\r\n',
  ];
  for (const text of wrong) t.same(line(text), MALFORMED, JSON.stringify(text));
  t.same(line(`PROXY UNKNOWN ${'x'.repeat(200)}`), { kind: 'invalid', problem: 'tooLong' });
  // The CRLF must lie within the 107 bytes.
  t.same(line(`PROXY UNKNOWN ${'x'.repeat(V1_MAX_BYTES - 15)}\r\n`).kind, 'invalid');
  t.end();
});

void t.test('bytes that are no header are known at the first one that differs', t => {
  for (const text of [
    'GET / HTTP/1.1\r\n',
    'P ROXY',
    'PROXY\r\n',
    'proxy ',
    '\r\n\r\nPROXY',
    '\r\n\r\n\0\r\nQUIX',
    '\0',
  ])
    t.same(line(text), { kind: 'absent' }, JSON.stringify(text));
  for (const text of ['', 'P', 'PROXY', '\r', '\r\n\r\n\0\r\nQUIT'])
    t.equal(line(text).kind, 'incomplete', JSON.stringify(text));
  t.end();
});

void t.test('addresses of version 2 are read, of IPv4, IPv6 and unix sockets', t => {
  t.same(v2('21', '11', 'c0a80001 c0a8000b dc04 01bb'), {
    kind: 'header',
    bytes: 28,
    header: {
      version: 2,
      command: 'proxy',
      addresses: {
        family: 'ipv4',
        transport: 'stream',
        source: { address: '192.168.0.1', port: 56324 },
        destination: { address: '192.168.0.11', port: 443 },
      },
      tlvs: [],
    },
  });
  t.match(v2('21', '22', `20010db8${'0'.repeat(23)}1 ${'0'.repeat(31)}1 ffff 0000`), {
    kind: 'header',
    bytes: 52,
    header: {
      addresses: {
        family: 'ipv6',
        transport: 'datagram',
        source: { address: '2001:db8::1', port: 65535 },
        destination: { address: '::1', port: 0 },
      },
    },
  });
  const path = (text: string) => Buffer.from(text.padEnd(108, '\0')).toString('hex');
  t.match(v2('21', '31', path('/run/a.sock') + path('\0name')), {
    kind: 'header',
    bytes: 232,
    header: {
      addresses: { family: 'unix', source: Buffer.from('/run/a.sock'), destination: Buffer.from('\0name') },
    },
  });
  t.end();
});

void t.test('LOCAL is dropped as a whole, and UNSPEC has no addresses but may have TLVs', t => {
  const local = { kind: 'header', header: { version: 2, command: 'local', addresses: undefined, tlvs: [] } };
  t.match(v2('20', '00', ''), { ...local, bytes: 16 });
  t.match(v2('20', '11', 'c0a80001 c0a8000b dc04 01bb'), { ...local, bytes: 28 }, 'its length counts');
  t.match(v2('20', '00', 'ffffff'), { ...local, bytes: 19 }, 'not even looked at');
  const unspecified = headerOf(v2('21', '00', '02 0003 616263'));
  t.equal(unspecified.addresses, undefined);
  t.same(tlvOf(unspecified, TLV.authority), Buffer.from('abc'));
  t.match(v2('21', '10', 'c0a80001 c0a8000b dc04 01bb'), {
    kind: 'header',
    header: { addresses: undefined },
  });
  t.match(v2('21', '01', ''), { kind: 'header', header: { addresses: undefined } });
  t.end();
});

void t.test('what version 2 does not define is refused', t => {
  const addresses = 'c0a80001 c0a8000b dc04 01bb';
  for (const [command, family, rest] of [
    ['11', '11', addresses],
    ['31', '11', addresses],
    ['22', '11', addresses],
    ['2f', '11', addresses],
    ['21', '41', addresses],
    ['21', 'f1', addresses],
    ['21', '13', addresses],
    ['21', '1f', addresses],
    ['21', '11', addresses.slice(0, -5)],
    ['21', '21', addresses],
    ['21', '31', addresses],
  ] as const)
    t.same(v2(command, family, rest), MALFORMED, `${command} ${family} ${rest}`);
  const length = (V2_MAX_BYTES - 16 + 1).toString(16).padStart(4, '0');
  t.same(hex(`${SIGNATURE} 21 00 ${length}`), { kind: 'invalid', problem: 'tooLong' }, 'at once');
  t.same(hex(`${SIGNATURE} 20 00 ffff`), { kind: 'invalid', problem: 'tooLong' });
  t.same(hex(`${SIGNATURE} 41`), MALFORMED, 'before the rest has come');
  t.end();
});

void t.test('TLVs are all read, also unknown ones and those of TLS', t => {
  const version = '21 0007 544c5376312e33';
  const name = '22 000b 6578616d706c652e636f6d';
  const ssl = `20 ${(5 + 10 + 14).toString(16).padStart(4, '0')} 07 00000000 ${version} ${name}`;
  const header = headerOf(
    v2('21', '00', `01 0002 6832 05 0003 312d32 04 0000 30 0004 626c7565 ee 0001 ff ${ssl}`),
  );
  const { tlvs } = header;
  t.same(
    tlvs.map(({ type }) => type),
    [TLV.alpn, TLV.uniqueId, TLV.noop, TLV.netns, 0xee, TLV.ssl],
  );
  t.same(tlvOf(header, TLV.uniqueId), Buffer.from('1-2'));
  t.same(tlvOf(header, 0xee), Buffer.from([0xff]));
  t.same(parseSslTlv(tlvOf(header, TLV.ssl) ?? Buffer.alloc(0)), {
    client: 7,
    verify: 0,
    tlvs: [
      { type: 0x21, value: Buffer.from('TLSv1.3') },
      { type: 0x22, value: Buffer.from('example.com') },
    ],
  });
  t.end();
});

void t.test('TLVs that do not fit are refused', t => {
  const wrong = {
    'one byte': '02',
    'without length': '02 00',
    'longer than the header': '02 0004 616263',
    'a second one that is cut': '02 0001 61 02',
    'a long id': `05 0081 ${'61'.repeat(129)}`,
    'a checksum of three bytes': '03 0003 000000',
    'TLS of four bytes': '20 0004 00000000',
    'a TLV within TLS that is too long': '20 0008 01 00000000 21 0001',
  };
  for (const [what, rest] of Object.entries(wrong)) t.same(v2('21', '00', rest), MALFORMED, what);
  t.end();
});

void t.test('a header with a wrong checksum is refused', t => {
  const good = 'c0a80001 c0a8000b dc04 01bb';
  const withSum = (sum: string) => v2('21', '11', `${good} 03 0004 ${sum}`);
  t.same(withSum('00000000'), { kind: 'invalid', problem: 'badChecksum' });
  const sum = naiveCrc32c(
    Buffer.from(`${SIGNATURE}211100 13 ${good} 03 0004 00000000`.replace(/\s/g, ''), 'hex'),
  );
  t.equal(naiveCrc32c(Buffer.alloc(32)), 0x8a9136aa, 'a test vector of RFC 3720');
  t.match(withSum(sum.toString(16).padStart(8, '0')), { kind: 'header' });
  const twice = `${good} 03 0004 00000000 03 0004 00000000`;
  t.same(v2('21', '11', twice), MALFORMED, 'there is one or none');
  t.end();
});

/** Bit by bit, as RFC 3720 describes it. */
function naiveCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc = (crc ^ byte) >>> 0;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1) >>> 0;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
