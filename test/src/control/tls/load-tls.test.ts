/**
 * What becomes of files that `tls` names: each kind of bad file is named, with its key, path, expectation and finding.
 */
import { createPrivateKey } from 'node:crypto';
import t from 'tap';
import { ConfigError } from '../../../../src/config/report/config-error.ts';
import { formatPath } from '../../../../src/config/report/issue.ts';
import { parseConfig } from '../../../../src/config/source/parse.ts';
import { loadTls, type LoadedTls } from '../../../../src/control/tls/load-tls.ts';
import { atOnce } from '../../../../src/support/slices.ts';
import { issue, issueChain } from '../../../harness/certificates.ts';
import '../../../harness/run-once.ts';

type Files = Readonly<Record<string, string | Buffer>>;

const DAY_MS = 86_400_000;

const { root, between, leaf, chain } = issueChain({ name: 'site.test', dns: ['Site.test', '*.site.test'] });
const FILES: Files = { 'c.pem': chain, 'k.pem': leaf.key, 'ca.pem': root.cert };

interface Circumstances {
  readonly ofUpstream?: boolean;
  readonly open?: string;
  readonly now?: number;
  readonly inUse?: LoadedTls;
  readonly validUntil?: (cert: string) => number | undefined;
}

function load(files: Files, tls: object, circumstances: Circumstances = {}): LoadedTls {
  const {
    ofUpstream = false,
    open = '',
    now = Date.now(),
    inUse,
    validUntil = () => undefined,
  } = circumstances;
  const parsed = parseConfig({
    listeners: [{ name: 'web', bind: ':0', upstream: 'app', ...(ofUpstream ? {} : { tls }) }],
    upstreams: [{ name: 'app', backends: ['a.test:1'], ...(ofUpstream ? { tls } : {}) }],
  });
  if (!parsed.ok) throw new Error(parsed.issues.map(({ message }) => message).join());
  const readBytes = (path: string): Buffer => {
    const content = files[path.slice('/etc/'.length)];
    if (content === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    return Buffer.from(content);
  };
  const isOpenToAll = (path: string): boolean => path === open;
  return atOnce(
    loadTls(parsed.config, {
      baseDir: '/etc',
      readBytes,
      isOpenToAll,
      wallClock: () => now,
      inUse,
      validUntil,
    }),
  );
}

function problems(files: Files, tls: object = PAIR, options: Circumstances = {}): string[] {
  try {
    load({ ...FILES, ...files }, tls, options);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.issues.map(({ path, message }) => `${formatPath(path)}: ${message}`);
  }
}

const PAIR = { cert: 'c.pem', key: 'k.pem' };
const CERT = 'expected a PEM file with the certificate, and behind it those that have issued it, got';
const KEY = 'expected a PEM file with the private key of the certificate, without a passphrase, got';

void t.test('a good pair: chain, key and names as clients need them', async t => {
  const loaded = load(FILES, { ...PAIR, alpn: ['h2'], clientCa: 'ca.pem', clientCert: 'optional' });
  const settings = loaded.listeners.get('web');
  t.match(settings, {
    certificates: [{ chain, key: leaf.key, names: ['site.test', '*.site.test'] }],
    ...{ alpn: ['h2'], minVersion: 'TLSv1.2', timeout: 10_000, clients: { isRequired: false } },
  });
  t.same([...loaded.files], ['/etc/c.pem', '/etc/k.pem', '/etc/ca.pem']);
  t.match(loaded.certificates, [
    { owner: 'listener', of: 'web', file: 'c.pem', name: 'site.test', issuer: 'test between' },
  ]);
  t.same(loaded.warnings, []);
});

void t.test('certificate and key may be one file, in any order', async t => {
  const one = { cert: 'one.pem', key: 'one.pem' };
  const both = load({ 'one.pem': leaf.key + chain }, one).listeners.get('web');
  t.match(both?.certificates, [{ chain, key: leaf.key }]);
  t.equal(both?.certificates[0]?.id, load(FILES, PAIR).listeners.get('web')?.certificates[0]?.id);
});

void t.test('the id of a certificate changes with its chain, its key and its OCSP response', async t => {
  const idOf = (files: Files, tls: object = PAIR) =>
    load({ ...FILES, ...files }, tls).listeners.get('web')?.certificates[0]?.id;
  const again = issue({ name: 'site.test', issuer: between });
  const ids = [
    idOf({}),
    idOf({ 'c.pem': leaf.cert }),
    idOf({ 'c.pem': again.cert, 'k.pem': again.key }),
    idOf({ 'o.der': Buffer.from([0x30, 3, 0x0a, 1, 0]) }, { ...PAIR, ocsp: 'o.der' }),
  ];
  t.equal(new Set(ids).size, ids.length);
  t.equal(idOf({}), ids[0]);
});

void t.test('bad files of certificates', async t => {
  const der = Buffer.from(leaf.cert.replaceAll(/-----.*-----|\n/g, ''), 'base64');
  const broken = leaf.cert.replace(/\n.{10}/, '\nAAAAAAAAAA');
  for (const [what, found] of [
    ['', 'it is empty'],
    [' \n', 'it is empty'],
    [der, 'it is DER, not PEM'],
    ['hello', 'it is not PEM'],
    [leaf.key, 'no certificate in it, but private key'],
    [leaf.cert.slice(0, 200), 'no whole certificate in it'],
    [broken, 'certificate 1 of 1 (line 1) cannot be read'],
    [
      between.cert + leaf.cert,
      'the chain is in the wrong order: certificate 2 (line 12, site.test) is the one of the key, and has to come first',
    ],
    [
      leaf.cert + root.cert + between.cert,
      'the chain is in the wrong order: certificate 2 (line 13, test root) has issued certificate 3 (line 23, test between), and has to come behind it',
    ],
    [leaf.cert + between.cert + between.cert, 'certificate 3 (line 24, test between) is there twice'],
    [leaf.cert + issue({ name: 'x' }).cert, 'certificate 2 (line 13, x) has issued none of those before it'],
  ] as const) {
    const lines = problems({ 'c.pem': what }).map(each => each.replaceAll(/line \d+/g, 'line'));
    t.same(lines, [`listeners[0].tls.cert: ${CERT} /etc/c.pem (${found.replaceAll(/line \d+/g, 'line')})`]);
  }
  t.match(
    problems({ 'c.pem': `\n\n${between.cert}${leaf.cert}` })[0],
    /certificate 2 \(line 1\d, site\.test\)/,
  );
});

void t.test('an authority that was signed by two may be there in both forms', async t => {
  const other = issue({ name: 'other root', isAuthority: true });
  const crossed = issue({
    name: 'test between',
    isAuthority: true,
    issuer: other,
    keyObject: between.keyObject,
  });
  t.same(problems({ 'c.pem': leaf.cert + between.cert + crossed.cert }), []);
});

void t.test('bad files of keys', async t => {
  const encrypted = createPrivateKey(leaf.key).export({
    ...{ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  });
  const old = createPrivateKey(leaf.key).export({
    ...{ type: 'sec1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
  });
  for (const [what, found] of [
    ['', 'it is empty'],
    [createPrivateKey(leaf.key).export({ type: 'pkcs8', format: 'der' }), 'it is DER, not PEM'],
    [leaf.cert, 'no private key in it, but certificate'],
    [encrypted, 'it has a passphrase, which lb4 cannot be given'],
    [old, 'it has a passphrase, which lb4 cannot be given'],
    [leaf.key.replace(/\n.{30}/, `\n${'A'.repeat(30)}`), 'the private key (line 1) cannot be read'],
    [issue().key, 'it is the key of another certificate than that of site.test'],
  ] as const)
    t.same(problems({ 'k.pem': what }), [`listeners[0].tls.key: ${KEY} /etc/k.pem (${found})`]);
});

void t.test('every problem is named, and missing files by their codes', async t => {
  const tls = { certificates: [PAIR, { cert: 'no.pem', key: 'no.key' }], clientCa: 'k.pem' };
  t.same(problems({ 'k.pem': '' }, tls), [
    `listeners[0].tls.certificates[0].key: ${KEY} /etc/k.pem (it is empty)`,
    'listeners[0].tls.certificates[1].cert: expected a PEM file with the certificate, got /etc/no.pem (ENOENT)',
    'listeners[0].tls.certificates[1].key: expected a PEM file with its private key, got /etc/no.key (ENOENT)',
    'listeners[0].tls.clientCa: expected a PEM file with at least one certificate, got /etc/k.pem (no certificate in it)',
  ]);
});

void t.test('OCSP responses that say nothing', async t => {
  const tls = { certificates: [{ ...PAIR, ocsp: 'o.der' }] };
  for (const [bytes, found] of [
    ['', 'it is empty'],
    ['-----BEGIN OCSP RESPONSE-----', 'it is PEM, not DER'],
    ['hello', 'no OCSP response in it'],
    [Buffer.from([0x30, 3, 0x0a, 1, 6]), 'the authority has answered with status 6'],
  ] as const)
    t.same(problems({ 'o.der': bytes }, tls), [
      `listeners[0].tls.certificates[0].ocsp: expected a file with a good OCSP response, in DER, got /etc/o.der (${found})`,
    ]);
});

void t.test('what OpenSSL refuses: ciphers, and keys that are too short', async t => {
  t.match(problems({}, { ...PAIR, ciphers: 'no-such' }), [
    /^listeners\[0\]\.tls\.ciphers: expected what OpenSSL takes, got no-such \(no cipher match\)$/,
  ]);
  const weak = issue({ name: 'weak', rsaBits: 512 });
  t.match(problems({ 'c.pem': weak.cert, 'k.pem': weak.key }), [
    /^listeners\[0\]\.tls\.key: .* \(OpenSSL refuses it: .*key too small\)$/,
  ]);
});

void t.test('what can be used and should be looked at', async t => {
  const past = issue({ name: 'past', from: -100, to: -9.5 });
  const future = issue({ name: 'future', from: 2 });
  const short = issue({ name: 'short', rsaBits: 1024 });
  const files = {
    ...{ 'p.pem': past.cert, 'p.key': past.key, 'f.pem': future.cert, 'f.key': future.key },
    ...{ 's.pem': short.cert, 's.key': short.key },
  };
  const textsOf = ({ warnings }: LoadedTls): string[] => warnings.map(({ message }) => message);
  const of = (name: string) => ({ cert: `${name}.pem`, key: `${name}.key` });
  t.match(textsOf(load(files, of('p'))), [
    /^\/etc\/p\.pem: the certificate of past has expired on [-\d]{10}, 9 days ago$/,
  ]);
  t.match(textsOf(load(files, of('f'))), [/^\/etc\/f\.pem: the certificate of future is not valid before /]);
  t.match(textsOf(load(files, of('s'))), [/RSA key of 1024 bits/]);
  t.same(textsOf(load(FILES, PAIR, { open: '/etc/k.pem' })), [
    'every user of this machine may read the private key /etc/k.pem',
  ]);
  const twice = issue({ name: 'site.test' });
  const two = { ...PAIR, certificates: [{ cert: 't.pem', key: 't.key' }] };
  t.same(textsOf(load({ ...FILES, 't.pem': twice.cert, 't.key': twice.key }, two)), [
    'listener web has two certificates for site.test: the first one is used',
  ]);
  t.same(textsOf(load(FILES, PAIR, { now: Date.now() + 91 * DAY_MS })).length, 2);
  const former = issue({ name: 'former', isAuthority: true, from: -9, to: -1 });
  t.same(textsOf(load({ ...FILES, 'ca.pem': former.cert + root.cert }, { ...PAIR, clientCa: 'ca.pem' })), [
    '/etc/ca.pem: 1 of 2 authorities have expired',
  ]);
});

void t.test('an upstream: what it shows, whom it trusts, and what it asks for', async t => {
  const tls = { ...PAIR, ca: 'ca.pem', serverName: 'app.test', minVersion: 'TLSv1.3', starttls: 'postgres' };
  t.match(load(FILES, tls, { ofUpstream: true }).upstreams.get('app'), {
    ...{ own: { chain, key: leaf.key }, verify: true, serverName: 'app.test' },
    ...{ alpn: ['postgresql'], minVersion: 'TLSv1.3', starttls: 'postgres', ca: root.cert.trim() },
  });
  t.same(problems({ 'k.pem': '' }, tls, { ofUpstream: true }), [
    `upstreams[0].tls.key: ${KEY} /etc/k.pem (it is empty)`,
  ]);
  t.equal(load(FILES, { verify: false }, { ofUpstream: true }).upstreams.get('app')?.verify, false);
});

void t.test('no text of a key is in a message', async t => {
  const secret = leaf.key.split('\n')[1] ?? '';
  const inline = parseConfig({
    listeners: [{ name: 'web', bind: ':0', upstream: 'app', tls: { cert: 'c.pem', key: leaf.key } }],
    upstreams: [{ name: 'app', backends: ['a.test:1'] }],
  });
  const words = [...problems({ 'k.pem': leaf.key.slice(0, 120) }), JSON.stringify(inline)].join();
  t.notMatch(words, secret.slice(0, 20));
  t.match(words, 'the path of a file');
  t.match(words, 'a text that is not shown');
});

void t.test(
  'what cannot be used is replaced by what is in use, and others are renewed all the same',
  async t => {
    const other = issue({ name: 'other' });
    const two = { ...PAIR, certificates: [{ cert: 'o.pem', key: 'o.key' }], clientCa: 'ca.pem' };
    const files = { ...FILES, 'o.pem': other.cert, 'o.key': other.key };
    const inUse = load(files, two);
    const renewed = issue({ name: 'other' });
    const now = load({ 'c.pem': chain, 'k.pem': '', 'o.pem': renewed.cert, 'o.key': renewed.key }, two, {
      inUse,
    });
    t.match(now.refused, [{ message: /k\.pem \(it is empty\)/ }, { message: /ca\.pem \(ENOENT\)/ }]);
    t.match(now.listeners.get('web'), {
      certificates: [{ chain, key: leaf.key }, { chain: renewed.cert }],
      clients: { ca: root.cert.trim() },
    });
    t.same([...now.files], [...inUse.files], 'they are all still looked at');
    const back = load(files, two, { inUse: now });
    t.same(back.refused, []);
    t.same(back.certificates, inUse.certificates);
  },
);

void t.test('an expired certificate replaces none that is valid, and any that is not', async t => {
  const past = issue({ name: 'site.test', from: -9, to: -1 });
  const files = { 'c.pem': past.cert, 'k.pem': past.key };
  const validUntil = (cert: string) => (cert === '/etc/c.pem' ? Date.now() + DAY_MS : undefined);
  t.match(problems(files, PAIR, { validUntil }), [
    /^listeners\[0\]\.tls\.cert: expected a certificate that is valid, .* got \/etc\/c\.pem \(it has expired on/,
  ]);
  t.same(problems(files, PAIR, { validUntil: () => Date.now() - DAY_MS }), []);
  t.same(problems(files), []);
});
