/** What docs/postgresql.md promises holds, with its own configurations, in front of a real PostgreSQL. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { startLb4 } from '../harness/lb4-process.ts';
import { skipWithoutPostgres, startPostgres } from '../harness/postgres-server.ts';
import { freePort, runProgram } from '../harness/programs.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { pause } from '../harness/until.ts';
import { certificateFor } from '../src/control/health/certificate.ts';

const skip = skipWithoutPostgres();
const [HOST_A, HOST_B] = ['127.0.0.11', '127.0.0.12'];

const text = readFileSync(new URL('../../../docs/postgresql.md', import.meta.url), 'utf8');
const [replicas = '', primary = ''] = Array.from(
  text.matchAll(/^```yaml\n(listeners:.*?)^```$/gms),
  ([, sample]) => sample,
);

void t.test('before PostgreSQL', { skip, timeout: 100_000 }, async t => {
  const [port, checkPort] = [await freePort(), await freePort()];
  const { path, folder: certificates } = await certificateFor(t, 'DNS:db.test');
  const a = await startPostgres(
    t,
    { host: HOST_A, port },
    { cert: path, key: join(certificates, 'key.pem') },
  );
  const b = await a.addStandby({ host: HOST_B, port });

  /** Starts lb4 with a sample of the page, its addresses replaced by those of this test. */
  async function start(t: Test, sample: string, change: [from: string | RegExp, to: string][] = []) {
    const folder = temporaryFolder(t);
    const config = [
      ["bind: ':5432'", `bind: ['127.0.0.1:0', 'unix:${folder}/.s.PGSQL.5432']`] as const,
      ['10.0.0.11:5432', `${HOST_A}:${port}`] as const,
      ['10.0.0.12:5432', `${HOST_B}:${port}`] as const,
      ['8008', `${checkPort}`] as const,
      ...change,
    ].reduce((text, [from, to]) => text.replace(from, to), sample);
    const file = join(folder, 'lb4.yaml');
    writeFileSync(file, config);
    // Shorter than by default, so that a test need not wait for long.
    return { folder, ...(await startLb4(t, ['-c', file, '--health-interval', '300ms'])) };
  }

  const connection = (lb4: { port: number }, more = ''): string =>
    `host=127.0.0.1 port=${lb4.port} user=postgres dbname=postgres ${more}`;
  /** Runs a statement in a session of its own; what psql prints, or its error. */
  async function psql(to: string, sql: string): Promise<string> {
    const { code, stdout, stderr } = await runProgram('psql', ['-XAtq', to, '-c', sql]);
    return code === 0 ? stdout.trim() : stderr.trim();
  }
  const SERVER = 'select host(inet_server_addr())';
  async function untilAnswer(to: string, sql: string, answer: string): Promise<void> {
    for (let seen = ''; seen !== answer; seen = await psql(to, sql)) await pause(20);
  }
  /** A session with a long statement: once that runs, the server that runs it, and what psql says in the end. */
  async function longStatement(to: string, seconds: number) {
    const sql = `select pg_sleep(${seconds}) /* ${++statements} */`;
    const child = spawn('psql', ['-XAtq', to, '-c', sql], { stdio: ['ignore', 'ignore', 'pipe'] });
    t.teardown(() => child.kill('SIGKILL'));
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const over = once(child, 'close').then(() => said);
    const running = `select count(*) from pg_stat_activity where query = '${sql}' and state = 'active'`;
    for (;;) {
      for (const host of [HOST_A, HOST_B]) {
        const found = await psql(`host=${host} port=${port} user=postgres dbname=postgres`, running);
        if (found === '1') return { child, over, host };
      }
    }
  }
  let statements = 0;
  const RESET = /server closed the connection|connection reset/i;

  await t.test(
    'replicas: both get sessions, and a server sees the address of lb4, not that of the client',
    async t => {
      const lb4 = await start(t, replicas);
      const { host, child } = await longStatement(connection(lb4), 60);
      t.equal(await psql(connection(lb4), SERVER), host === HOST_A ? HOST_B : HOST_A);
      child.kill();
      const bySocket = `host=${lb4.folder} user=postgres dbname=postgres`;
      t.equal(await psql(bySocket, 'select host(inet_client_addr())'), '127.0.0.1');
      t.same(
        lb4.lines.filter(({ event }) => event === 'backendDown'),
        [],
        'and the preset passes',
      );
    },
  );

  await t.test(
    'replicas: sessions of one that is frozen are reset, and the other gets the next ones',
    async t => {
      const lb4 = await start(t, replicas);
      const { host, over } = await longStatement(connection(lb4), 60);
      const { pid } = host === HOST_A ? a : b;
      process.kill(pid, 'SIGSTOP');
      t.teardown(() => process.kill(pid, 'SIGCONT'));
      t.match(await over, RESET);
      t.equal(await psql(connection(lb4), SERVER), host === HOST_A ? HOST_B : HOST_A);
    },
  );

  await t.test('TLS passes through: verify-full holds the server to the name in front of lb4', async t => {
    const lb4 = await start(t, replicas);
    const verified = (name: string) =>
      `hostaddr=127.0.0.1 ${connection(lb4).replace('host=127.0.0.1', `host=${name}`)} sslmode=verify-full sslrootcert=${path}`;
    const isEncrypted = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()';
    t.equal(await psql(verified('db.test'), isEncrypted), 't');
    t.match(await psql(verified('other.test'), isEncrypted), /does not match host name/);
  });

  await t.test(
    'cancelling: under leastconn it goes to the less busy backend and is lost, with iphash it works',
    async t => {
      const cancelled = async (strategy: string): Promise<string> => {
        const lb4 = await start(t, replicas, [['leastconn', strategy]]);
        const { child, over } = await longStatement(connection(lb4), 3);
        child.kill('SIGINT');
        return over;
      };
      t.match(await cancelled('iphash'), /canceling statement due to user request/);
      t.notMatch(await cancelled('leastconn'), /canceling statement/);
    },
  );

  await t.test(
    'the primary: it alone gets sessions, before and after a fail-over, and nobody else while there is none',
    async t => {
      let leader: string | undefined = HOST_A;
      for (const host of [HOST_A, HOST_B]) {
        // As Patroni answers beside each server.
        const patroni = createServer((request, response) => {
          response.writeHead(request.url === '/primary' && leader === host ? 200 : 503).end();
        });
        await once(patroni.listen(checkPort, host), 'listening');
        t.teardown(() => patroni.close());
      }
      const isPrimary = 'select not pg_is_in_recovery()';
      const lb4 = await start(t, primary);
      await untilAnswer(connection(lb4), isPrimary, 't');
      for (let i = 0; i < 5; i++) t.equal(await psql(connection(lb4), isPrimary), 't');
      t.equal(await psql(connection(lb4), 'create table kept (n int); insert into kept values (1)'), '');

      const atOld = await longStatement(connection(lb4), 60);
      leader = undefined;
      t.match(await atOld.over, RESET);
      t.match(
        await psql(connection(lb4), isPrimary),
        /connection to server|server closed/,
        'no standby gets it',
      );

      await b.promote();
      leader = HOST_B;
      await untilAnswer(connection(lb4), SERVER, HOST_B);
      t.equal(await psql(connection(lb4), 'insert into kept values (2)'), '');
      t.equal(await psql(connection(lb4), 'select count(*) from kept'), '2');
    },
  );
});
