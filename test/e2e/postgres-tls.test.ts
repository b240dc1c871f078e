/**
 * PostgreSQL through lb4 where TLS ends or begins at it (`starttls: postgres`), with psql and a real server: names are
 * verified, Ctrl-C cancels, and checks leave no trace in the server's log.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { createLoadBalancer, type ConfigInput } from '../../src/index.ts';
import { skipWithoutPostgres, startPostgres } from '../harness/postgres-server.ts';
import { freePort, runProgram, skipWithout } from '../harness/programs.ts';
import { pause } from '../harness/until.ts';
import { certificateFor } from '../src/control/health/certificate.ts';

const skip = skipWithoutPostgres() || skipWithout('openssl');
const IS_ENCRYPTED = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';

/** What psql prints, or its error. */
async function psql(to: string, sql: string): Promise<string> {
  const { code, stdout, stderr } = await runProgram('psql', ['-XAtq', to, '-c', sql]);
  return code === 0 ? stdout.trim() : stderr.trim();
}

void t.test('PostgreSQL with TLS at lb4', { skip, timeout: 100_000 }, async t => {
  const edge = await certificateFor(t, 'DNS:db.test');
  const inner = await certificateFor(t, 'DNS:pg.test');
  const keyOf = ({ folder }: { folder: string }) => join(folder, 'key.pem');
  const port = await freePort();
  const server = await startPostgres(t, { host: '127.0.0.1', port }, { cert: inner.path, key: keyOf(inner) });
  const direct = `host=127.0.0.1 port=${port} user=postgres dbname=postgres`;

  const ends = { tls: { cert: edge.path, key: keyOf(edge), starttls: 'postgres' } } as const;
  const begins = { tls: { serverName: 'pg.test', ca: inner.path, starttls: 'postgres' } } as const;
  const ports = {
    ends: await freePort(),
    anew: await freePort(),
    begins: await freePort(),
    known: await freePort(),
    same: await freePort(),
  };
  const clients = { ...ends.tls, clientCa: edge.path };
  const config: ConfigInput = {
    workers: 1,
    listeners: [
      { name: 'ends', bind: `127.0.0.1:${ports.ends}`, upstream: 'plain', ...ends },
      { name: 'anew', bind: `127.0.0.1:${ports.anew}`, upstream: 'encrypted', ...ends },
      { name: 'begins', bind: `127.0.0.1:${ports.begins}`, upstream: 'encrypted' },
      { name: 'known', bind: `127.0.0.1:${ports.known}`, upstream: 'encrypted', tls: clients },
      {
        ...{ name: 'same', bind: `127.0.0.1:${ports.same}`, upstream: 'encrypted' },
        tls: { cert: inner.path, key: keyOf(inner), starttls: 'postgres' },
      },
    ],
    upstreams: [
      { name: 'plain', backends: [`127.0.0.1:${port}`], health: { interval: '400ms', initial: 'checked' } },
      {
        ...{ name: 'encrypted', backends: [`127.0.0.1:${port}`] },
        health: { type: 'sendExpect', preset: 'postgres', interval: '400ms', initial: 'checked' },
        ...begins,
      },
    ],
  };
  const balancer = createLoadBalancer(config);
  t.teardown(() => balancer.stop());
  await balancer.start();
  const to = (listener: keyof typeof ports, more = ''): string =>
    `host=db.test hostaddr=127.0.0.1 port=${ports[listener]} user=postgres dbname=postgres ${more}`;
  const VERIFIED = `sslmode=verify-full sslrootcert=${edge.path}`;
  const CLEAR = 'sslmode=disable';
  const unknown = await psql(to('known', VERIFIED), 'select 1');
  const certified = `${VERIFIED} sslcert=${edge.path} sslkey=${keyOf(edge)}`;

  await t.test('verify-full works, whether the server gets TLS or not', async t => {
    t.equal(await psql(to('ends', VERIFIED), IS_ENCRYPTED), 'f');
    t.equal(await psql(to('anew', VERIFIED), IS_ENCRYPTED), 't');
    t.equal(await psql(to('begins', CLEAR), IS_ENCRYPTED), 't', 'a client without TLS is led into it');
    t.equal(await psql(to('known', certified), 'select 7'), '7', 'a client with a certificate');
    t.match(unknown, /certificate required|SSL error|closed the connection/, 'and one that has none');
    const other = to('ends', VERIFIED).replace('db.test', 'other.test');
    t.match(await psql(other, 'select 1'), /does not match host name "other\.test"/);
  });

  await t.test('a client that wants no TLS reads why it is refused', async t => {
    t.match(
      await psql(to('ends', CLEAR), 'select 1'),
      /FATAL: {2}this server takes only encrypted connections: use sslmode=require or better/,
    );
    t.equal(await psql(to('ends', 'sslmode=prefer'), 'select 1'), '1');
  });

  await t.test('much data comes through whole', async t => {
    const rows = 'select md5(string_agg(n::text, $$,$$)) from generate_series(1, 200000) n';
    const copied = "select string_agg(n::text, ',') from generate_series(1, 200000) n";
    const [digest, text] = [await psql(direct, rows), await psql(to('anew', VERIFIED), copied)];
    t.equal(text.length, 1_288_894);
    t.equal(
      await psql(to('anew', VERIFIED), `select md5('${text.slice(0, 100_000)}')`),
      await psql(direct, `select md5('${text.slice(0, 100_000)}')`),
    );
    t.match(digest, /^[0-9a-f]{32}$/);
  });

  await t.test('Ctrl-C cancels a statement: clients before version 17 ask for it in the clear', async t => {
    for (const [listener, mode] of [
      ['ends', VERIFIED],
      ['anew', VERIFIED],
      ['begins', CLEAR],
    ] as const)
      t.match(
        await interrupted(t, to(listener, mode), direct),
        /canceling statement due to user request/,
        listener,
      );
  });

  await t.test(
    'passwords: a session that is bound to its TLS needs the same certificate on both sides',
    async t => {
      const rules = join(dirname(server.logFile), 'pg_hba.conf');
      const scram = 'host all scram 127.0.0.1/32 scram-sha-256';
      writeFileSync(rules, `${scram}\n${readFileSync(rules, 'utf8')}`);
      await psql(direct, "create role scram login password 'secret'; select pg_reload_conf()");
      const login = (listener: keyof typeof ports, more: string): string =>
        to(listener, `${more} password=secret`).replace('user=postgres', 'user=scram');
      t.equal(await psql(login('ends', VERIFIED), 'select 1'), '1', 'the server has no TLS to bind to');
      t.match(
        await psql(login('begins', `${CLEAR} channel_binding=disable`), 'select 1'),
        /offered SCRAM-SHA-256-PLUS authentication over a non-SSL connection/,
        'libpq takes that for an attack',
      );
      t.match(await psql(login('anew', VERIFIED), 'select 1'), /channel binding check failed/);
      t.equal(await psql(login('anew', `${VERIFIED} channel_binding=disable`), 'select 1'), '1');
      const same = login('same', `sslmode=verify-full sslrootcert=${inner.path}`).replace(
        'db.test',
        'pg.test',
      );
      t.equal(await psql(`${same} channel_binding=require`, 'select 1'), '1');
    },
  );

  await t.test('direct TLS, as from version 17 on, needs its protocol', async t => {
    const connect = [
      's_client',
      '-connect',
      `127.0.0.1:${ports.ends}`,
      '-CAfile',
      edge.path,
      '-verify_return_error',
    ];
    const direct = await runProgram('openssl', [...connect, '-alpn', 'postgresql']);
    t.match(direct.stdout, /ALPN protocol: postgresql/);
    t.match((await runProgram('openssl', connect)).stderr, /no application protocol/);
    const starttls = await runProgram('openssl', [...connect, '-starttls', 'postgres']);
    t.match(starttls.stdout, /Verify return code: 0 \(ok\)/, 'and SSLRequest does not');
  });

  await t.test('checks pass and leave nothing in the log of the server', async t => {
    const found = balancer.snapshot().upstreams.map(({ backends }) => backends.map(({ health }) => health));
    t.same(found, [['up'], ['up']]);
    t.notMatch(readFileSync(server.logFile, 'utf8'), /SSL|EOF|incomplete|unsupported/);
  });
});

/** What psql says in the end of a statement that is interrupted once it runs. */
async function interrupted(t: Test, to: string, direct: string): Promise<string> {
  const sql = `select pg_sleep(30) /* ${to.length} ${Math.trunc(performance.now())} */`;
  const child = spawn('psql', ['-XAtq', to, '-c', sql], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const over = once(child, 'close').then(() => said);
  const running = `select count(*) from pg_stat_activity where query = '${sql}' and state = 'active'`;
  while ((await psql(direct, running)) !== '1') await pause(10);
  child.kill('SIGINT');
  return over;
}
