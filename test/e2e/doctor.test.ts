/** `lb4 doctor` on this machine: few descriptors, few ports, Redis, a running instance. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { startCommandLine } from '../harness/command-line.ts';
import { LB4, startLb4 } from '../harness/lb4-process.ts';
import { NetworkNamespace, skipWithoutNamespaces } from '../harness/network-namespace.ts';
import { freePort, runProgram, type Ran } from '../harness/programs.ts';
import { skipWithoutRedis, startRedisServer } from '../harness/redis-server.ts';
import '../harness/run-once.ts';
import type { Teardown } from '../harness/teardown.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const commandLine = startCommandLine(t);
const notLinux = process.platform !== 'linux' && 'the facts are read from /proc';

interface Report {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

function file(t: Teardown, more = '', backends = '10.0.0.1:80, 10.0.0.2:80'): string {
  const path = join(temporaryFolder(t), 'lb4.yaml');
  const text = `listeners: [{ name: web, bind: ':8080', upstream: app }]\nupstreams: [{ name: app, backends: [${backends}] }]\n`;
  writeFileSync(path, `${text}${more}\n`);
  return path;
}

const failed = ({ stdout }: Pick<Ran, 'stdout'>): string[] =>
  (JSON.parse(stdout) as Report).findings
    .filter(({ verdict }) => verdict === 'fail')
    .map(({ check, found }) => `${check}: ${found}`);

/** `lb4 doctor -c config` in a process with so many descriptors. */
const doctorWithin = (descriptors: number, config: string, ...options: string[]) =>
  runProgram('bash', [
    ...['-c', `ulimit -n ${descriptors}; exec "$@"`, 'lb4'],
    ...[process.execPath, LB4, 'doctor', '-c', config, ...options],
  ]);

void t.test(
  'with a low ulimit -n it fails, and says which limit the configured sessions take',
  { skip: notLinux },
  async t => {
    const config = file(t, 'limits: { maxSessions: 3000 }\nworkers: 1');
    const ran = await doctorWithin(300, config);
    t.equal(ran.code, 1, ran.stderr);
    const words = ran.stdout.replaceAll(/\s+/g, ' ');
    t.match(words, /✗ FAIL descriptors ulimit -n is 300, room for \d+ sessions; 3,000 are/);
    const needed = /set it to at least (\d+)/.exec(words)?.[1];
    t.ok(Number(needed) > 6_000, String(needed));
    // The number that it names is enough.
    const again = await doctorWithin(Number(needed), config, '--json');
    t.same(failed(again), []);
    t.equal(again.code, 0);
  },
);

void t.test(
  'in a network with few ports it fails for more sessions than those',
  { skip: skipWithoutNamespaces() },
  async t => {
    const namespace = await NetworkNamespace.create(`doctor-${process.pid}`);
    t.teardown(() => namespace.delete());
    await namespace.set('ipv4/ip_local_port_range', '50000 50007');
    const config = file(t, 'limits: { maxSessions: 17 }');
    const ran = await namespace.run(() =>
      runProgram(process.execPath, [LB4, 'doctor', '-c', config, '--json']),
    );
    t.same(failed(ran), ['source ports: app: 16 for its backends together; 17 sessions are configured']);
    t.equal(ran.code, 1);
  },
);

void t.test(
  'a Redis that answers is ok with its version, one that does not fails',
  { skip: skipWithoutRedis() },
  async t => {
    const redis = await startRedisServer(t);
    const asked = async (port: number) =>
      commandLine(['doctor', '--json', '-c', file(t, `redis: { url: 'redis://127.0.0.1:${port}' }`)]);
    const well = JSON.parse((await asked(redis.port)).stdout) as Report;
    t.match(
      well.findings.find(({ check }) => check === 'redis'),
      { verdict: 'ok', found: /^Redis \d+\.\d+\S*, an answer takes [\d.]+ ms$/ },
    );
    const gone = await asked(await freePort());
    t.equal(gone.code, 1);
    t.match(failed(gone), [/^redis: .*ECONNREFUSED.*; each instance counts by itself$/]);
  },
);

void t.test('--live judges a running instance, and fails where none answers', { skip: notLinux }, async t => {
  const env = {
    ...process.env,
    XDG_RUNTIME_DIR: temporaryFolder(t),
    LB4_NAME: `test-${process.pid}-doctor`,
    LB4_ADMIN_SOCKET: 'auto',
  };
  mkdirSync(env.XDG_RUNTIME_DIR, { recursive: true });
  const lb4 = await startLb4(t, ['-b', '127.0.0.1:1', '--health', 'off', '--max-sessions', '50'], { env });
  await lb4.line(({ event, address }) => event === 'adminListening' && String(address).startsWith('unix:'));
  const live = await commandLine(['doctor', '--live', '--json'], env);
  const report = JSON.parse(live.stdout) as Report;
  const found = (name: string) => report.findings.find(({ check }) => check === name);
  t.match(found('its sessions'), { verdict: 'ok', found: '0 of 50' });
  t.match(found('its descriptors'), { verdict: 'ok', found: /^\d+ of [\d,]+ in use$/ });
  t.match(found('state'), { verdict: 'ok', found: new RegExp(`pid ${lb4.pid}$`) });
  t.match(found('source ports'), { found: /./ }, 'its machine is judged, too');
  t.equal(await lb4.stop(), 0);
  const gone = await commandLine(['doctor', '--live'], env);
  t.same([gone.code, gone.stdout], [1, '']);
  t.match(gone.stderr, /^lb4: no lb4 named /);
});

const AS_NOBODY = ['--reuid=65534', '--clear-groups'];
const whyNotNobody = (): string | false => {
  if (process.getuid?.() !== 0) return 'takes root';
  const isReadable = spawnSync('setpriv', [...AS_NOBODY, 'test', '-r', LB4]).status === 0;
  return isReadable ? false : 'only root can read what is below this folder';
};

void t.test(
  'without root it says the same, or what it could not read',
  { skip: notLinux || whyNotNobody() },
  async t => {
    const ran = await runProgram('setpriv', [...AS_NOBODY, process.execPath, LB4, 'doctor', '--json']);
    t.equal(ran.stderr, '');
    t.ok((JSON.parse(ran.stdout) as Report).findings.length > 10);
  },
);

void t.test('a configuration with a mistake ends it as lb4 check does', async t => {
  const { code, stdout, stderr } = await commandLine(['doctor', '-c', file(t, 'limit: 1')]);
  t.same([code, stdout], [78, '']);
  t.match(stderr, /lb4\.yaml:3:1  unknown key "limit"/);
});
