/** PostgreSQL before TLS: what a server takes, declines and refuses, and what a client makes of its answers. */
import t from 'tap';
import { openingsOf } from '../../../../src/codec/starttls/index.ts';
import { alpn, helloMessage, inRecords, serverName } from '../../../harness/client-hello.ts';

const server = (hex: string) =>
  openingsOf('postgres')!
    .server()
    .read(Buffer.from(hex.replace(/ /g, ''), 'hex'));
const answerTo = (bytes: string | Uint8Array) =>
  openingsOf('postgres')!.client.read(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);

const SSL_REQUEST = '00000008 04d2162f';
const GSSENC_REQUEST = '00000008 04d21630';
const CANCEL_REQUEST = '00000010 04d2162e 00001234 deadbeef';
const STARTUP = '00000020 00030000 75736572 00';

void t.test('without STARTTLS there is nothing to say', t => {
  t.equal(openingsOf(undefined), undefined);
  t.end();
});

void t.test('SSLRequest is answered by S, and TLS follows', t => {
  t.same(server(SSL_REQUEST), { kind: 'tls', take: 8, answer: Buffer.from('S') });
  t.end();
});

void t.test('GSSENCRequest is declined once, and the client asks for TLS', t => {
  const opening = openingsOf('postgres')!.server();
  const gss = Buffer.from(GSSENC_REQUEST.replace(/ /g, ''), 'hex');
  t.same(opening.read(gss), { kind: 'again', take: 8, answer: Buffer.from('N') });
  t.same(opening.read(Buffer.alloc(0)), { kind: 'more', bytes: 8 });
  t.match(opening.read(gss), { kind: 'refuse', code: 'NOT_POSTGRES' });
  t.match(opening.read(Buffer.from(SSL_REQUEST.replace(/ /g, ''), 'hex')), { kind: 'tls' });
  t.end();
});

void t.test('bytes behind a request for encryption are refused (CVE-2021-23214)', t => {
  for (const request of [SSL_REQUEST, GSSENC_REQUEST]) {
    const refused = server(`${request} 16`);
    t.match(refused, { kind: 'refuse', code: 'EARLY_DATA' });
    t.match(Buffer.from((refused as { answer: Uint8Array }).answer).toString('latin1'), /C08P01\0/);
  }
  t.end();
});

void t.test('a client without TLS gets an error that it can show', t => {
  const refused = server(STARTUP) as { answer: Uint8Array };
  t.match(refused, { kind: 'refuse', code: 'NOT_ENCRYPTED' });
  const answer = Buffer.from(refused.answer);
  t.equal(answer[0], 0x45);
  t.equal(answer.readUInt32BE(1), answer.length - 1, 'its length counts itself and not the type');
  t.equal(
    answer.subarray(5).toString('latin1'),
    'SFATAL\0VFATAL\0C28000\0Mthis server takes only encrypted connections: use sslmode=require or better\0\0',
  );
  t.match(server('00000008 00030002'), { code: 'NOT_ENCRYPTED' }, 'of protocol 3.2 as well');
  t.end();
});

void t.test('a request to cancel stays in the clear: it alone, and whole', t => {
  t.same(server(CANCEL_REQUEST), { kind: 'clear' });
  t.same(server(CANCEL_REQUEST.slice(0, -2)), { kind: 'more', bytes: 16 });
  t.same(
    server(`0000002c 04d2162e 00001234 ${'ab'.repeat(32)}`),
    { kind: 'clear' },
    'a long secret of protocol 3.2',
  );
  t.match(server(`${CANCEL_REQUEST} 00`), { kind: 'refuse', code: 'NOT_POSTGRES' });
  t.match(server('0000000f 04d2162e 00001234 deadbe'), { kind: 'refuse', code: 'NOT_POSTGRES' });
  t.match(
    server('0000010d 04d2162e'),
    { kind: 'refuse', code: 'NOT_POSTGRES' },
    'a longer one than there are',
  );
  t.end();
});

void t.test('TLS at once takes a client that offers the protocol postgresql', t => {
  const hello = (...protocols: string[]): string =>
    inRecords(
      helloMessage({
        extensions: [serverName('db.test'), ...(protocols.length > 0 ? [alpn(...protocols)] : [])],
      }),
    ).toString('hex');
  t.same(server(hello('postgresql')), { kind: 'tls', take: 0 });
  t.same(server(hello('h2', 'postgresql')), { kind: 'tls', take: 0 });
  t.match(server(hello('postgresql').slice(0, 40)), { kind: 'more' });
  // Alert, fatal, no_application_protocol.
  const alert = Buffer.from('15030100020278', 'hex');
  for (const refused of [server(hello()), server(hello('h2'))])
    t.same(refused, { kind: 'refuse', code: 'NO_ALPN', answer: alert });
  t.match(server('16 03 01 00 00'), { kind: 'refuse', code: 'BAD_CLIENT_HELLO' });
  t.end();
});

void t.test(
  'other protocols are refused without an answer, at the first byte that differs where there is one',
  t => {
    const refused = { kind: 'refuse', code: 'NOT_POSTGRES' };
    t.same(server(Buffer.from('G').toString('hex')), refused);
    t.same(server('00000009 04d2162f 00'), refused, 'an SSLRequest with something in it');
    t.same(server('00000007 04d2162f'), refused);
    t.same(server('00002711 00030000'), refused, 'longer than PostgreSQL takes it');
    t.same(server('00000008 04d21631'), refused);
    t.same(server('00000008 00020000'), refused, 'protocol 2');
    t.same(server('00'), { kind: 'more', bytes: 8 });
    t.end();
  },
);

void t.test('a client asks for TLS, and takes nothing else', t => {
  t.same(openingsOf('postgres')!.client.request, Buffer.from(SSL_REQUEST.replace(/ /g, ''), 'hex'));
  t.same(answerTo(''), { kind: 'more' });
  t.same(answerTo('S'), { kind: 'tls', take: 1 });
  t.same(answerTo('N'), { kind: 'refuse', code: 'NO_TLS' });
  t.same(answerTo('S\x16'), { kind: 'refuse', code: 'EARLY_DATA' }, 'CVE-2021-23222');
  t.same(answerTo('HTTP/1.1 400'), { kind: 'refuse', code: 'NOT_POSTGRES' });
  t.end();
});

void t.test("a server's error is refused with the beginning of its words, on one line", t => {
  const fields = Buffer.from('E\0\0\0\x40SFATAL\0C53300\0Msorry, too many clients already\0\0', 'latin1');
  t.same(answerTo(fields), { kind: 'refuse', code: 'SERVER_ERROR: sorry, too many clients already' });
  t.same(answerTo(fields.subarray(0, 30)), { kind: 'more' });
  t.same(answerTo('Ecould not fork new process for connection\0'), {
    kind: 'refuse',
    code: 'SERVER_ERROR: could not fork new process for connection',
  });
  t.same(answerTo('E'), { kind: 'more' });
  t.same(answerTo('Ea\nb\x1b[2J\0'), { kind: 'refuse', code: String.raw`SERVER_ERROR: a\nb\x1b[2J` });
  t.same(answerTo(`E${'x'.repeat(2_000)}`), { kind: 'refuse', code: 'SERVER_ERROR' }, 'one without an end');
  t.same(answerTo(`E${'x'.repeat(900)}\0`), { kind: 'refuse', code: `SERVER_ERROR: ${'x'.repeat(100)}` });
  t.end();
});
