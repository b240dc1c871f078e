/** The recipes of docs/tls.md work as they stand there: copied, with other paths and ports, and run. */
import { mkdirSync, readFileSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { startLb4 } from '../harness/lb4-process.ts';
import { skipWithoutPostgres, startPostgres } from '../harness/postgres-server.ts';
import { freePort, runProgram, skipWithout } from '../harness/programs.ts';
import { pause } from '../harness/until.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { certificateFor } from '../src/control/health/certificate.ts';

const skip = skipWithout('curl', 'openssl');
const page = readFileSync(new URL('../../../docs/tls.md', import.meta.url), 'utf8');
t.setTimeout(120_000);

/** The samples of a recipe, by language and in order. */
function recipe(title: string) {
  const [, text = ''] = page.split(`\n### ${title}\n`);
  const [own = ''] = text.split('\n### ');
  return (language: string): string[] =>
    Array.from(
      own.matchAll(new RegExp('^```' + language + '\\n(.*?)^```$', 'gms')),
      ([, sample = '']) => sample,
    );
}

let configurations = 0;

type Change = readonly [from: string, to: string];

function changed(text: string | undefined, changes: readonly Change[]): string {
  return changes.reduce((changed, [from, to]) => {
    if (!changed.includes(from)) throw new Error(`the recipe has no ${from}`);
    return changed.replaceAll(from, to);
  }, text ?? '');
}

async function lb4(t: Test, folder: string, sample: string | undefined, changes: readonly Change[]) {
  const file = join(folder, `${configurations++}.yaml`);
  writeFileSync(file, changed(sample, changes));
  return startLb4(t, ['-c', file, '--log-level', 'debug']);
}

async function startSite(t: Test): Promise<number> {
  const site: Server = createServer((_, response) => response.end('served\n'));
  await once(site.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => site.close());
  // A TCP server's address is no text.
  return (site.address() as AddressInfo).port;
}

void t.test(
  "Let's Encrypt: certbot's files are served, and renewed ones without a word",
  { skip },
  async t => {
    const samples = recipe("Certificates of Let's Encrypt");
    const folder = temporaryFolder(t);
    const [archive, live] = ['archive', 'live'].map(name => join(folder, name, 'example.com')) as [
      string,
      string,
    ];
    for (const path of [archive, live]) mkdirSync(path, { recursive: true });
    let renewals = 0;
    /** As certbot does it. */
    const renew = async () => {
      renewals++;
      const made = await certificateFor(t, 'DNS:example.com');
      for (const [name, text] of [
        ['fullchain', made.cert],
        ['privkey', made.key],
      ] as const) {
        writeFileSync(join(archive, `${name}${renewals}.pem`), text, { mode: 0o600 });
        const link = join(live, `${name}.pem`);
        symlinkSync(`../../archive/example.com/${name}${renewals}.pem`, `${link}.new`);
        renameSync(`${link}.new`, link);
      }
      return made;
    };
    const first = await renew();
    const group = String(process.getgid?.() ?? 0);
    const commands = changed(samples('sh')[0], [
      ['/etc/letsencrypt', folder],
      ['groupadd --system tls', ':'],
      ['chgrp -R tls', `chgrp -R ${group}`],
    ]);
    t.equal((await runProgram('sh', ['-ec', commands])).code, 0);
    t.equal(
      statSync(join(live, 'privkey.pem')).mode & 0o777,
      0o640,
      'the group may read the key, and others may not',
    );

    const site = `127.0.0.1:${await startSite(t)}`;
    const { port } = await lb4(t, folder, samples('yaml')[0], [
      ["':443'", '127.0.0.1:0'],
      ['/etc/letsencrypt', folder],
      ['10.0.0.1:80, 10.0.0.2:80', site],
    ]);
    const curl = (ca: string) =>
      runProgram('curl', [
        '-sS',
        '--cacert',
        ca,
        '--connect-to',
        `example.com:443:127.0.0.1:${port}`,
        'https://example.com/',
      ]);
    t.match(await curl(first.path), { stdout: 'served\n', stderr: '' });
    const second = await renew();
    while ((await curl(second.path)).code !== 0) await pause(100);
    t.not((await curl(first.path)).code, 0, 'the old one is gone');
  },
);

void t.test(
  'mutual TLS: a service reaches another, and what has no certificate does not',
  { skip },
  async t => {
    const samples = recipe('Mutual TLS between services');
    const folder = temporaryFolder(t);
    const made = await runProgram('sh', ['-ec', samples('sh')[0] ?? ''], { cwd: folder });
    t.equal(made.code, 0, made.stderr);
    const [ofBilling, ofOrders] = samples('yaml');
    const billing = await lb4(t, folder, ofBilling, [
      ["':8443'", '127.0.0.1:0'],
      ['127.0.0.1:8080', `127.0.0.1:${await startSite(t)}`],
    ]);
    const orders = await lb4(t, folder, ofOrders, [
      ['127.0.0.1:9080', '127.0.0.1:0'],
      ['10.0.1.1:8443, 10.0.1.2:8443', billing.address],
    ]);
    t.match(await runProgram('curl', ['-sS', `http://${orders.address}/`]), { stdout: 'served\n' });
    const name = [
      '--cacert',
      join(folder, 'ca.pem'),
      '--connect-to',
      `billing.internal:443:${billing.address}`,
    ];
    const stranger = await runProgram('curl', ['-sS', ...name, 'https://billing.internal/']);
    t.match(stranger, { stdout: '', stderr: /certificate required/ });
  },
);

void t.test(
  'PostgreSQL: psql verifies lb4, and lb4 verifies the server',
  { skip: skip || skipWithoutPostgres() },
  async t => {
    const samples = recipe('PostgreSQL with verify-full');
    const folder = temporaryFolder(t);
    const [edge, inner] = [
      await certificateFor(t, 'DNS:db.example.com'),
      await certificateFor(t, 'DNS:pg.internal'),
    ];
    const serverPort = await freePort();
    const files = { cert: inner.path, key: join(inner.folder, 'key.pem') };
    await startPostgres(t, { host: '127.0.0.1', port: serverPort }, files);
    writeFileSync(join(folder, 'db.pem'), edge.cert);
    writeFileSync(join(folder, 'db.key'), edge.key, { mode: 0o600 });
    writeFileSync(join(folder, 'pg-ca.pem'), inner.cert);
    writeFileSync(join(folder, 'ca.pem'), edge.cert);
    const { port } = await lb4(t, folder, samples('yaml')[0], [
      ["':5432'", '127.0.0.1:0'],
      ['10.0.0.11:5432, 10.0.0.12:5432', `127.0.0.1:${serverPort}`],
    ]);
    const psql = changed(samples('sh')[0], [
      ['host=db.example.com', `host=db.example.com hostaddr=127.0.0.1 port=${port}`],
      ['user=app dbname=app', 'user=postgres dbname=postgres'],
      ["'select 1'", "'select ssl from pg_stat_ssl where pid = pg_backend_pid()' -XAtq"],
    ]);
    t.match(await runProgram('sh', ['-ec', psql], { cwd: folder }), { stdout: 't\n', stderr: '' });
    const other = psql.replace('host=db.example.com', 'host=other.example.com');
    t.match(await runProgram('sh', ['-ec', other], { cwd: folder }), { stderr: /does not match host name/ });
  },
);
