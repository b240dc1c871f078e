/** What needs no peer: facts of a handshake as Node may give them, tickets, ciphers, and terms of another engine. */
import type { TLSSocket } from 'node:tls';
import t from 'tap';

import { withDefaults } from '../../../../src/engine/tls/ciphers.ts';
import { ClientTerms } from '../../../../src/engine/tls/client-terms.ts';
import { Contexts } from '../../../../src/engine/tls/contexts.ts';
import { factsOf, judgeClient } from '../../../../src/engine/tls/facts.ts';
import { ownTls } from '../../../../src/engine/tls/node-tls.ts';
import { STARTTLS, TLS_VERSIONS } from '../../../../src/engine/tls.ts';
import { createNodeEngine } from '../../../../src/engine/node/node-engine.ts';
import { STOPPED_CLOCK } from '../../../contracts/engine/fixture.ts';
import { createAuthority, withoutOpenssl } from '../../../harness/tls-authority.ts';

const SETTINGS = { verify: true, alpn: [], minVersion: TLS_VERSIONS[0] };

/** As much of a stream as is asked. */
const streamOf = (parts: object): TLSSocket =>
  ({
    getProtocol: () => 'TLSv1.3',
    getCipher: () => ({ name: 'TLS_AES_128_GCM_SHA256' }),
    isSessionReused: () => false,
    getPeerX509Certificate: () => undefined,
    ...parts,
  }) as unknown as TLSSocket;

const certificateOf = (subject: string | undefined, subjectAltName?: string, CN?: unknown) => ({
  getPeerX509Certificate: () => ({
    subject,
    subjectAltName,
    toLegacyObject: () => ({ subject: CN && { CN } }),
  }),
});

void t.test('facts have what the handshake has agreed on, and nothing that it has not', t => {
  t.match(factsOf(streamOf({ servername: 'A.test', alpnProtocol: 'h2' }), true), {
    ...{ serverName: 'a.test', alpn: 'h2', certificate: undefined, version: 'TLSv1.3' },
  });
  for (const [servername, alpnProtocol] of [
    ['', ''],
    [false, false],
    [null, undefined],
  ])
    t.match(factsOf(streamOf({ servername, alpnProtocol, getProtocol: () => null }), false), {
      ...{ serverName: undefined, alpn: undefined, version: '' },
    });
  t.end();
});

void t.test('a client is called by its first common name, else by its first DNS name, else by nothing', t => {
  const nameOf = (...parts: Parameters<typeof certificateOf>) =>
    factsOf(streamOf(certificateOf(...parts)), true).certificate;
  t.same(nameOf('O=x\nCN=a, b', undefined, 'a, b'), { name: 'a, b', subject: 'O=x, CN=a, b' });
  t.equal(nameOf('CN=a\nCN=b', undefined, ['a', 'b'])?.name, 'a');
  t.equal(nameOf('O=x', 'IP Address:10.0.0.1, DNS:c.test, DNS:d.test')?.name, 'c.test');
  t.equal(nameOf('O=x', 'URI:http://DNS:mallory')?.name, '');
  t.same(nameOf(undefined, undefined), { name: '', subject: '' });
  t.end();
});

void t.test(
  'a client without a certificate comes in only where none is required, one with a bad one never',
  t => {
    const withError = (verifyError: unknown) =>
      streamOf({
        ...certificateOf('CN=a'),
        _handle: typeof verifyError === 'function' ? { verifyError } : verifyError,
      });
    t.equal(judgeClient(streamOf({}), false), undefined);
    t.match(judgeClient(streamOf({}), true), { code: 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE' });
    t.equal(
      judgeClient(
        withError(() => null),
        true,
      ),
      undefined,
    );
    const expired = Object.assign(new Error('x'), { code: 'CERT_HAS_EXPIRED' });
    t.match(
      judgeClient(
        withError(() => expired),
        true,
      ),
      { reason: 'certificate', code: 'CERT_HAS_EXPIRED' },
    );
    for (const strange of [() => new Error('x'), () => 'x', () => undefined, {}, null, undefined])
      t.match(
        judgeClient(withError(strange), false),
        { code: 'ERR_TLS_UNVERIFIED' },
        'what Node does not say is no proof',
      );
    t.end();
  },
);

void t.test('the tickets of at most 1,024 backends are kept; the oldest goes first', t => {
  const terms = new ClientTerms(SETTINGS, new Contexts());
  for (let i = 0; i < 1_025; i++) terms.keep(`b${i}`, Buffer.from(`${i}`));
  t.equal(terms.ticketFor('b0'), undefined);
  terms.keep('b1', Buffer.from('anew'));
  terms.keep('b1025', Buffer.from('x'));
  t.same([terms.ticketFor('b1')?.toString(), terms.ticketFor('b2')], ['anew', undefined]);
  terms.forget('b1');
  t.equal(terms.ticketFor('b1'), undefined);
  t.end();
});

void t.test(
  'the same settings have one context, and a certificate of their own has another',
  { skip: withoutOpenssl },
  t => {
    const authority = createAuthority(t);
    const own = authority.issue('lb4.test', 'DNS:lb4.test');
    const contexts = new Contexts();
    const settings = { ...SETTINGS, ca: authority.ca };
    const terms = [settings, settings, { ...settings, own }].map(each => new ClientTerms(each, contexts));
    t.equal(terms[0]?.context, terms[1]?.context);
    t.not(terms[0]?.context, terms[2]?.context);
    t.end();
  },
);

void t.test('a list of ciphers that names none of TLS 1.3 is about TLS 1.2', t => {
  t.match(withDefaults(undefined), /^TLS_AES_128_GCM_SHA256:.*:ECDHE-ECDSA-AES128-GCM-SHA256:/);
  t.match(withDefaults('HIGH'), /^TLS_AES_128_GCM_SHA256:.*:HIGH$/);
  t.equal(withDefaults('TLS_AES_256_GCM_SHA384'), 'TLS_AES_256_GCM_SHA384');
  t.end();
});

void t.test('an engine takes only terms that it has made itself', t => {
  const { tls } = createNodeEngine({ clock: STOPPED_CLOCK });
  const strange = { settings: { ...SETTINGS, starttls: STARTTLS[0] } };
  t.throws(() => ownTls({ terms: strange }), { code: 'LB4_WRONG_STATE' });
  t.throws(() => tls?.accept({} as never, strange as never, undefined, () => t.fail('it is not asked')), {
    code: 'LB4_WRONG_STATE',
  });
  t.end();
});
