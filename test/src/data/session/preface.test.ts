/** The header for a backend: whom it names, what it says besides, and what has no room in it. */
import t from 'tap';
import {
  parseProxyHeader,
  parseSslTlv,
  SSL_CLIENT,
  SSL_TLV,
  TLV,
  tlvOf,
  V2_MAX_BYTES,
  type ProxyHeader,
} from '../../../../src/codec/proxy-protocol/index.ts';
import type { TlsFacts } from '../../../../src/engine/tls.ts';
import type { Proxied } from '../../../../src/data/admission/gate.ts';
import { prefaceOf } from '../../../../src/data/session/preface.ts';
import { FORWARDED_TLVS, type SendProxy } from '../../../../src/model/send-proxy.ts';

const V1: SendProxy = { version: 'v1', tlvs: [] };
const V2: SendProxy = { version: 'v2', tlvs: [] };
const HERE = { localAddress: '198.51.100.1:443' };
const CLIENT = { clientAddress: '192.0.2.7', clientPort: 51034 };

const line = (client: Parameters<typeof prefaceOf>[1], localAddress: string) =>
  Buffer.from(prefaceOf(V1, client, { localAddress }, '1-1')).toString();

function v2(tlvs: SendProxy['tlvs'], proxied?: Proxied): ProxyHeader {
  const client = proxied === undefined ? CLIENT : { ...CLIENT, proxied };
  const parsed = parseProxyHeader(prefaceOf({ version: 'v2', tlvs }, client, HERE, '1-1'));
  if (parsed.kind !== 'header') throw new Error(parsed.kind);
  return parsed.header;
}

void t.test('it names the client, and where that connected to', t => {
  t.equal(line(CLIENT, '198.51.100.1:443'), 'PROXY TCP4 192.0.2.7 198.51.100.1 51034 443\r\n');
  const v6 = { clientAddress: '2001:db8::7', clientPort: 1 };
  t.equal(line(v6, '[2001:db8::1]:443'), 'PROXY TCP6 2001:db8::7 2001:db8::1 1 443\r\n');
  const known = prefaceOf(V1, v6, '[2001:db8::1]:443', '1-1');
  t.equal(Buffer.from(known).toString(), line(v6, '[2001:db8::1]:443'), 'where its end is known already');
  const local = { clientAddress: 'fe80::7%eth0', clientPort: 1 };
  t.equal(line(local, '[fe80::1%eth0]:443'), 'PROXY TCP6 fe80::7 fe80::1 1 443\r\n', 'without zones');
  t.match(v2([]), {
    command: 'proxy',
    addresses: {
      source: { address: '192.0.2.7', port: 51034 },
      destination: { address: '198.51.100.1', port: 443 },
    },
    tlvs: [],
  });
  t.end();
});

void t.test('of a client of a unix socket, and of one that is gone, it says that they are not known', t => {
  const unix = { clientAddress: '', clientPort: 0 };
  t.equal(line(unix, ''), 'PROXY UNKNOWN\r\n');
  t.equal(line(CLIENT, ''), 'PROXY UNKNOWN\r\n');
  const parsed = parseProxyHeader(prefaceOf(V2, unix, { localAddress: '' }, '1-1'));
  t.match(parsed, { kind: 'header', header: { command: 'proxy', addresses: undefined } });
  t.end();
});

void t.test('where the client had connected to comes from a proxy in front, without a system call', t => {
  const proxied = { destination: { address: '203.0.113.5', port: 8443 }, tlvs: [] };
  const here = {
    get localAddress(): string {
      throw new Error('it is not asked');
    },
  };
  const bytes = prefaceOf(V1, { ...CLIENT, proxied }, here, '1-1');
  t.equal(Buffer.from(bytes).toString(), 'PROXY TCP4 192.0.2.7 203.0.113.5 51034 8443\r\n');
  t.end();
});

void t.test(
  'what a proxy in front has said is passed on where it is asked for, in the order asked for',
  t => {
    const value = (text: string) => Buffer.from(text);
    const tlvs = [
      { type: 0xea, value: value('vpce-1') },
      { type: TLV.authority, value: value('example.com') },
      { type: TLV.alpn, value: value('h2') },
      { type: TLV.uniqueId, value: value('front-7') },
      { type: TLV.noop, value: value('') },
      { type: TLV.crc32c, value: value('sum!') },
      { type: TLV.ssl, value: Buffer.from([1, 0, 0, 0, 0]) },
      { type: TLV.netns, value: value('blue') },
    ];
    t.same(v2([], { tlvs }).tlvs, []);
    t.same(v2(['authority', 'alpn'], { tlvs }).tlvs, [tlvs[1], tlvs[2]]);
    t.same(v2(['others', 'uniqueId', 'ssl', 'netns'], { tlvs }).tlvs, [tlvs[0], tlvs[3], tlvs[6], tlvs[7]]);
    const types = v2(FORWARDED_TLVS, { tlvs }).tlvs.map(({ type }) => type);
    t.same(types, [TLV.uniqueId, TLV.authority, TLV.alpn, TLV.ssl, TLV.netns, 0xea, TLV.crc32c]);
    t.end();
  },
);

void t.test(
  'without a proxy in front the unique id is that of the session, and nothing else is made up',
  t => {
    t.same(v2(FORWARDED_TLVS.filter(word => word !== 'crc32c')).tlvs, [
      { type: TLV.uniqueId, value: Buffer.from('1-1') },
    ]);
    t.end();
  },
);

void t.test('what has no room is left out; the header stays one that is read', t => {
  const big = { type: 0xe0, value: Buffer.alloc(V2_MAX_BYTES - 16 - 12 - 3) };
  const small = { type: 0xe1, value: Buffer.from('small') };
  const types = v2(['others', 'uniqueId', 'crc32c'], { tlvs: [big, small] }).tlvs.map(({ type }) => type);
  t.same(types, [0xe1, TLV.uniqueId, TLV.crc32c]);
  t.end();
});

const TLS = { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', isResumed: false } as const;
const CERTIFICATE = { name: 'till-7', subject: 'CN=till-7' };
/** The TLVs of a client whose TLS has ended here; a proxy in front has spoken of another TLS, and of the network. */
function ofTls(known: { serverName?: string; tls?: TlsFacts }) {
  const said = (type: number) => ({ type, value: Buffer.from('front') });
  const tlvs = [TLV.authority, TLV.alpn, TLV.ssl, TLV.netns].map(said);
  const sent = { version: 'v2', tlvs: ['authority', 'alpn', 'ssl', 'netns'] } as const;
  const parsed = parseProxyHeader(prefaceOf(sent, { ...CLIENT, proxied: { tlvs }, ...known }, HERE, '1-1'));
  if (parsed.kind !== 'header') throw new Error(parsed.kind);
  const textOf = (type: number) => {
    const value = tlvOf(parsed.header, type);
    return value && String(Buffer.from(value));
  };
  const ssl = tlvOf(parsed.header, TLV.ssl);
  return {
    ...{ authority: textOf(TLV.authority), alpn: textOf(TLV.alpn), netns: textOf(TLV.netns) },
    ssl: known.tls === undefined ? textOf(TLV.ssl) : ssl && parseSslTlv(ssl),
  };
}

void t.test('of TLS that has ended here it says what lb4 knows itself, and nothing of another', t => {
  t.match(ofTls({ serverName: 'shop.example', tls: { ...TLS, alpn: 'h2', certificate: CERTIFICATE } }), {
    ...{ authority: 'shop.example', alpn: 'h2', netns: 'front' },
    ssl: {
      ...{
        client: SSL_CLIENT.ssl | SSL_CLIENT.certificateOfConnection | SSL_CLIENT.certificateOfSession,
        verify: 0,
      },
      tlvs: [
        { type: SSL_TLV.version, value: Buffer.from('TLSv1.3') },
        { type: SSL_TLV.commonName, value: Buffer.from('till-7') },
        { type: SSL_TLV.cipher, value: Buffer.from('TLS_AES_128_GCM_SHA256') },
      ],
    },
  });
  const bare = ofTls({ tls: TLS });
  t.match(bare, { authority: undefined, alpn: undefined, netns: 'front', ssl: { client: SSL_CLIENT.ssl } });
  t.not(typeof bare.ssl === 'object' ? bare.ssl.verify : 0, 0, 'no certificate was verified');
  t.match(ofTls({ tls: { ...TLS, isResumed: true, certificate: CERTIFICATE } }), {
    ssl: { client: SSL_CLIENT.ssl | SSL_CLIENT.certificateOfSession, verify: 0 },
  });
  t.end();
});

void t.test('a name that lb4 has read in passing takes the place of what a proxy in front has said', t => {
  t.match(ofTls({ serverName: 'read.example' }), {
    ...{ authority: 'read.example', alpn: 'front', ssl: 'front', netns: 'front' },
  });
  t.match(ofTls({}), { authority: 'front', alpn: 'front', ssl: 'front' });
  t.end();
});
