/**
 * Certificates of a running lb4: what is wrong with files is named by check, start, reload and dry run alike; renewed files
 * are taken up without a signal, and bad ones change nothing.
 */
import { renameSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { startCommandLine } from '../harness/command-line.ts';
import { issue, issueChain, type Issued } from '../harness/certificates.ts';
import { startLb4, type Lb4Process } from '../harness/lb4-process.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const lb4 = startCommandLine(t);

const config = (tls = '{ cert: c.pem, key: k.pem }'): string => `
listeners: [{ name: web, upstream: app, bind: '127.0.0.1:0', tls: ${tls} }]
upstreams: [{ name: app, backends: ['127.0.0.1:81'], health: off }]
`;

function written(t: Test, { cert, key }: Pick<Issued, 'cert' | 'key'>, tls?: string) {
  const folder = temporaryFolder(t);
  const path = join(folder, 'lb4.yaml');
  const at = (file: string): string => join(folder, file);
  /** As programs that renew do: whole, and by another name first. */
  const put = (file: string, text: string): void => {
    writeFileSync(at(`${file}.new`), text, { mode: 0o600 });
    renameSync(at(`${file}.new`), at(file));
  };
  put('c.pem', cert);
  put('k.pem', key);
  writeFileSync(path, config(tls));
  return { folder, path, at, put };
}

/** The common name of the certificate that a client gets. */
async function shown({ host, port }: Lb4Process): Promise<string> {
  const client = await greeted(host, port);
  const { subject } = client.getPeerCertificate();
  client.destroy();
  return String(subject.CN);
}

async function greeted(host: string, port: number): Promise<TLSSocket> {
  const client = connect({ host, port, rejectUnauthorized: false });
  client.on('error', () => undefined);
  await once(client, 'secureConnect');
  return client;
}

void t.test('check and start name a key of another certificate, in the same words', async t => {
  const { path, at } = written(t, { cert: issue().cert, key: issue().key });
  const expected = `${path}:2:87  listeners[0].tls.key: expected a PEM file with the private key of the certificate, without a passphrase, got ${at('k.pem')} (it is the key of another certificate than that of localhost)`;
  for (const args of [['check'], ['run', '--log-format', 'text']]) {
    const { code, stderr } = await lb4([...args, '-c', path]);
    t.equal(code, 78);
    t.match(stderr.replaceAll(/^\S+ error +/gm, ''), expected);
  }
});

void t.test('check warns of an expired certificate, and lb4 starts with it and says so', async t => {
  const { path } = written(t, issue({ from: -20, to: -2.5 }));
  const { code, stderr } = await lb4(['check', '-c', path]);
  t.equal(code, 0);
  t.match(
    stderr,
    /warning: listeners\[0\]\.tls\.cert: .*c\.pem: the certificate of localhost has expired on/,
  );
  const process = await startLb4(t, ['-c', path]);
  t.match(await process.line(({ event }) => event === 'certificateExpired'), {
    listener: 'web',
    daysLeft: -3,
  });
  t.match(await process.line(({ event }) => event === 'certificateDoubtful'), { message: /has expired on/ });
  await process.stop();
});

void t.test('--tls-cert and --tls-key, relative to the working directory', async t => {
  const { at } = written(t, issue({ name: 'from.options' }));
  const lb4 = await startLb4(t, ['-b', '127.0.0.1:81', '--tls-cert', at('c.pem')], {
    env: { ...process.env, LB4_TLS_KEY: at('k.pem') },
  });
  t.equal(await shown(lb4), 'from.options');
  await lb4.stop();
});

void t.test('a renewed certificate is taken up without a signal, and a bad one changes nothing', async t => {
  const first = issueChain({ name: 'first' });
  const { folder, path, at, put } = written(t, { cert: first.chain, key: first.leaf.key });
  // As certbot does: links to files whose names change.
  renameSync(at('c.pem'), at('c1.pem'));
  symlinkSync('c1.pem', at('c.pem'));
  const process = await startLb4(t, ['-c', path, '--admin', `unix:${folder}/admin.sock`]);
  t.equal(await shown(process), 'first');

  const second = issueChain({ name: 'second' });
  put('c2.pem', second.chain);
  symlinkSync('c2.pem', at('c.new'));
  renameSync(at('c.new'), at('c.pem'));
  // The key comes later.
  t.equal(await shown(process), 'first');
  put('k.pem', second.leaf.key);
  t.match(await process.line(({ event }) => event === 'certificateRenewed'), {
    ...{ listener: 'web', file: 'c.pem', names: 'second' },
    notAfter: /^\d{4}-/,
  });
  t.equal(await shown(process), 'second');
  t.same(
    process.lines.filter(({ event }) => event === 'certificateRefused'),
    [],
  );

  const { stdout, stderr } = await lb4(['status', '--admin', `unix:${folder}/admin.sock`]);
  t.equal(stderr, '');
  t.match(stdout, /listener web +second +c\.pem +[-\d]{10}, 89d left/);

  // A reload refuses it at once; what is in use stays.
  const reloaded = async (words: RegExp): Promise<void> => {
    process.child.kill('SIGHUP');
    await process.line(({ event, message }) => event === 'reloadFailed' && words.test(String(message)));
    t.equal(await shown(process), 'second');
  };
  put('c2.pem', `${second.between.cert}${second.leaf.cert}`);
  await reloaded(/wrong order/);
  // One that has expired does not replace one that is valid.
  put('c2.pem', issue({ name: 'expired', from: -9, to: -1, keyObject: second.leaf.keyObject }).cert);
  await reloaded(/it has expired on/);
  const secret = readFileSync(at('k.pem'), 'utf8').split('\n')[1] ?? '';
  t.notMatch(JSON.stringify(process.lines), secret.slice(0, 24));
  await process.stop();
});
