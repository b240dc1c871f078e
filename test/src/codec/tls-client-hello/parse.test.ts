/** ClientHellos, read: what they say, what is refused, and bytes that come in any pieces. */
import t from 'tap';
import {
  HELLO_MAX_BYTES,
  HELLO_MAX_BYTES_IN_RECORDS,
  parseClientHello,
  type ClientHello,
} from '../../../../src/codec/tls-client-hello/index.ts';
import {
  alpn,
  EXTENSION,
  helloFor,
  helloMessage,
  inRecords,
  long,
  serverName,
  short,
  supportedVersions,
  uint16,
  type Extension,
  type HelloParts,
} from '../../../harness/client-hello.ts';
import { fc } from '../../../harness/properties.ts';

const parsed = (parts: HelloParts) => parseClientHello(inRecords(helloMessage(parts)));
const withExtensions = (...extensions: readonly Extension[]) => parsed({ extensions });
const MALFORMED = { kind: 'invalid', problem: 'malformed' };
const TOO_LONG = { kind: 'invalid', problem: 'tooLong' };
const BAD_NAME = { kind: 'invalid', problem: 'badServerName' };

void t.test('name, protocols and versions are read, whatever stands between them', t => {
  const bytes = inRecords(
    helloMessage({
      extensions: [
        [EXTENSION.grease, Buffer.alloc(0)],
        serverName('Api.Example.COM'),
        [EXTENSION.ech, Buffer.alloc(200, 1)],
        alpn('\x0a\x0a', 'h2', 'http/1.1'),
        supportedVersions(0x3a3a, 0x0304, 0x0303),
        [0x1a1a, Buffer.from([0])],
      ],
    }),
  );
  t.strictSame(parseClientHello(bytes), {
    kind: 'hello',
    hello: {
      serverName: 'api.example.com',
      alpn: ['\x0a\x0a', 'h2', 'http/1.1'],
      versions: [0x0304, 0x0303],
    },
    bytes: bytes.length,
  });
  const { kind, bytes: end } = { bytes: 0, ...parseClientHello(Buffer.concat([bytes, Buffer.alloc(9)])) };
  t.strictSame([kind, end], ['hello', bytes.length], 'what follows is not looked at');
  t.end();
});

void t.test('a client may say nothing of all that', t => {
  const nothing = { serverName: undefined, alpn: [] };
  t.match(parsed({ extensions: [] }), { kind: 'hello', hello: { ...nothing, versions: [0x0303] } });
  t.match(parsed({ extensions: null, version: 0x0300 }), { kind: 'hello', hello: { versions: [0x0300] } });
  t.match(withExtensions(serverName([1, Buffer.from('odd')])), { kind: 'hello', hello: nothing });
  t.match(withExtensions(serverName([7, Buffer.alloc(3)], 'a.test', [1, Buffer.alloc(0)])), {
    hello: { serverName: 'a.test' },
  });
  t.end();
});

void t.test('a name has one spelling', t => {
  const long = `${'a'.repeat(63)}.`.repeat(3) + 'b'.repeat(61);
  for (const [sent, read] of [
    ['localhost', 'localhost'],
    ['example.com.', 'example.com'],
    ['EXAMPLE.com', 'example.com'],
    ['_sip-1.xn--bcher-kva.example', '_sip-1.xn--bcher-kva.example'],
    ['1.2.3', '1.2.3'],
    [long, long],
    [`${long}.`, long],
  ] as const)
    t.match(withExtensions(serverName(sent)), { hello: { serverName: read } }, sent);
  for (const name of [
    '',
    '.',
    'a..b',
    '.a',
    'a..',
    '192.0.2.1',
    '192.0.2.1.',
    '::1',
    '[::1]',
    'a\0.example.com',
    'example.com\0',
    'a b',
    'a/b',
    '*.example.com',
    'bücher.example',
    'example.com:443',
    '\x1b[2J',
    `${long}b`,
    `${'a'.repeat(64)}.test`,
  ])
    t.same(withExtensions(serverName(name)), BAD_NAME, JSON.stringify(name));
  t.end();
});

void t.test('bytes that are not TLS are known at the first one that differs', t => {
  for (const text of [
    'GET / HTTP/1.1\r\n',
    '\x80\x2e\x01\x03\x01',
    'SSH-2.0-',
    '\x16\x02',
    '\x16\xfe',
    '\x15\x03\x01',
    '\0',
  ])
    t.same(parseClientHello(Buffer.from(text, 'latin1')), { kind: 'absent' }, JSON.stringify(text));
  for (const text of ['', '\x16', '\x16\x03', '\x16\x03\x01\0'])
    t.same(parseClientHello(Buffer.from(text, 'latin1')), { kind: 'incomplete', bytes: 6 });
  t.end();
});

void t.test('another message than a hello is refused at its first byte', t => {
  const other = { kind: 'invalid', problem: 'otherMessage' };
  t.same(parseClientHello(Buffer.from('160303000402', 'hex')), other);
  t.same(parseClientHello(Buffer.from('160303000400', 'hex')), other);
  t.end();
});

void t.test('a message that is not as the RFCs describe it is refused', t => {
  const wrong: Record<string, HelloParts> = {
    'a version that is none': { version: 0x0203 },
    'a session id of 33 bytes': { sessionId: Buffer.alloc(33) },
    'no cipher': { ciphers: Buffer.alloc(0) },
    'half a cipher': { ciphers: Buffer.alloc(3) },
    'no compression': { compressions: Buffer.alloc(0) },
    'bytes behind its extensions': { behind: Buffer.alloc(1) },
    'half a length of extensions': { extensions: null, behind: Buffer.alloc(1) },
    'extensions that are cut': { extensions: null, behind: Buffer.from([0, 5, 0, 0]) },
    'an extension that is cut': { extensions: null, behind: long(uint16(0), uint16(9)) },
    'half a type': { extensions: null, behind: long(Buffer.from([9])) },
  };
  for (const [what, parts] of Object.entries(wrong)) t.same(parsed(parts), MALFORMED, what);
  t.same(parseClientHello(Buffer.from('160301000401000000', 'hex')), MALFORMED, 'nothing at all');
  const lists: Record<string, readonly Extension[]> = {
    'a name without a list': [[0, Buffer.alloc(0)]],
    'an empty list of names': [[0, long()]],
    'a list of names with bytes behind it': [[0, Buffer.concat([serverName('a')[1], Buffer.alloc(1)])]],
    'a name that is cut': [[0, long(Buffer.from([0, 0, 9, 97]))]],
    'two names of hosts': [serverName('a.test', 'b.test')],
    'the same name twice': [serverName('a.test', 'a.test')],
    'two extensions with names': [serverName('a.test'), serverName('b.test')],
    'two extensions with protocols': [alpn('h2'), alpn('h2')],
    'no protocol': [alpn()],
    'an empty protocol': [alpn('h2', '')],
    'a protocol that is cut': [[16, long(Buffer.from([9, 97]))]],
    'protocols with bytes behind them': [[16, Buffer.concat([alpn('h2')[1], Buffer.alloc(1)])]],
    'no version': [supportedVersions()],
    'half a version': [[43, short(Buffer.from([3]))]],
    'versions that are cut': [[43, Buffer.from([4, 3, 4])]],
  };
  for (const [what, extensions] of Object.entries(lists))
    t.same(withExtensions(...extensions), MALFORMED, what);
  t.end();
});

void t.test('records that are not as the RFC describes them are refused', t => {
  const message = helloMessage({ extensions: [serverName('a.test')] });
  const two = inRecords(message, [20]);
  const changed = (at: number, byte: number) => {
    const bytes = Buffer.from(two);
    bytes[at] = byte;
    return parseClientHello(bytes);
  };
  t.equal(parseClientHello(two).kind, 'hello');
  t.same(changed(25, 21), MALFORMED, 'an alert between two parts');
  t.same(changed(26, 2), MALFORMED, 'another version');
  t.equal(changed(27, 0xff).kind, 'hello', 'the rest of the version says nothing');
  t.same(changed(3, 0x41), MALFORMED, 'longer than a record is');
  t.same(parseClientHello(Buffer.from('1603010000', 'hex')), MALFORMED, 'an empty record');
  t.end();
});

void t.test('it is bounded, and says so as soon as it is known', t => {
  const base = helloMessage({ extensions: [[EXTENSION.padding, Buffer.alloc(0)]] }).length;
  const ofBytes = (bytes: number) =>
    helloMessage({ extensions: [[EXTENSION.padding, Buffer.alloc(bytes + 4 - base)]] });
  const most = ofBytes(HELLO_MAX_BYTES);
  t.equal(parseClientHello(inRecords(most)).kind, 'hello');
  const tooMuch = inRecords(ofBytes(HELLO_MAX_BYTES + 1));
  t.same(parseClientHello(tooMuch), TOO_LONG);
  t.same(parseClientHello(tooMuch.subarray(0, 9)), TOO_LONG, 'from the head on');
  const room = HELLO_MAX_BYTES_IN_RECORDS - most.length;
  const fits = inRecords(most, [Math.ceil(most.length / Math.floor(room / 5))]);
  t.ok(fits.length <= HELLO_MAX_BYTES_IN_RECORDS);
  t.match(parseClientHello(fits), { kind: 'hello', bytes: fits.length });
  const small = inRecords(most, [10]);
  t.same(parseClientHello(small), TOO_LONG);
  t.same(parseClientHello(small.subarray(0, HELLO_MAX_BYTES_IN_RECORDS)), TOO_LONG);
  t.equal(parseClientHello(small.subarray(0, HELLO_MAX_BYTES_IN_RECORDS - 20)).kind, 'incomplete');
  t.equal(parseClientHello(inRecords(ofBytes(3_000), [1])).kind, 'hello', 'records of one byte');
  t.end();
});

/** How they are built, and what is to be read from them. */
const label = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/);
const names = fc
  .array(label, { minLength: 1, maxLength: 4 })
  .map(labels => labels.join('.'))
  .filter(name => !/^[\d.]+$/.test(name));
const protocols = fc.array(fc.stringMatching(/^[a-z0-9/.-]{1,12}$/), { maxLength: 4 });
const hellos = fc
  .record({
    serverName: fc.option(names, { nil: undefined }),
    alpn: protocols,
    versions: fc.uniqueArray(fc.constantFrom(0x0301, 0x0302, 0x0303, 0x0304), { minLength: 1 }),
  })
  .chain(hello => {
    const known: Extension[] = [
      ...(hello.serverName === undefined ? [] : [serverName(hello.serverName)]),
      ...(hello.alpn.length === 0 ? [] : [alpn(...hello.alpn)]),
      supportedVersions(...hello.versions),
    ];
    const others = fc.array(
      fc.tuple(fc.integer({ min: 44, max: 0xffff }), fc.uint8Array({ maxLength: 40 })),
      { maxLength: 4 },
    );
    return fc.record({
      hello: fc.constant(hello satisfies ClientHello),
      extensions: others.chain(more =>
        fc.shuffledSubarray<Extension>([...known, ...more], { minLength: known.length + more.length }),
      ),
      sizes: fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 }),
    });
  });

void t.test('any hello in any records is read, from any pieces that come', t => {
  fc.assert(
    fc.property(hellos, ({ hello, extensions, sizes }) => {
      const bytes = inRecords(helloMessage({ extensions }), sizes);
      const expected = { kind: 'hello', hello, bytes: bytes.length };
      if (JSON.stringify(parseClientHello(bytes)) !== JSON.stringify(expected)) return false;
      // Every split.
      for (let length = 0; length < bytes.length; length++) {
        const answer = parseClientHello(bytes.subarray(0, length));
        if (answer.kind !== 'incomplete' || answer.bytes <= length || answer.bytes > bytes.length)
          return false;
      }
      return true;
    }),
    { numRuns: 200 },
  );
  t.end();
});

void t.test('a reader who waits for as many bytes as it says gets there', t => {
  fc.assert(
    fc.property(hellos, ({ hello, extensions, sizes }) => {
      const bytes = inRecords(helloMessage({ extensions }), sizes);
      let length = 0;
      for (let looks = 0; looks < 2 * bytes.length; looks++) {
        const answer = parseClientHello(bytes.subarray(0, length));
        if (answer.kind !== 'incomplete')
          return answer.kind === 'hello' && answer.hello.serverName === hello.serverName;
        length = answer.bytes;
      }
      return false;
    }),
    { numRuns: 200 },
  );
  t.end();
});

void t.test('a hello by hand is like those in the other tests', t => {
  t.match(parseClientHello(helloFor('a.test', 'h2')), { hello: { serverName: 'a.test', alpn: ['h2'] } });
  t.match(parseClientHello(helloFor(undefined)), { hello: { serverName: undefined, alpn: [] } });
  t.end();
});
