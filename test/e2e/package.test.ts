/**
 * The package as npm delivers it: packed as README.md says, installed as a command and as a library in folders of
 * their own, and used. Nothing comes from this clone but the tarball.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { FULL, skipUnlessFull } from '../harness/full-load.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { runProgram } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const npm = (args: string[], cwd: string) =>
  runProgram('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, timeoutMs: 120_000 });

const folder = temporaryFolder(t);
let tarball = '';
let backend = '';

t.before(async () => {
  backend = formatAddress((await startBackend(t, scripts.echo)).address);
  const packed = await npm(['pack', '--ignore-scripts', '--pack-destination', folder], root);
  t.equal(packed.code, 0, packed.stderr);
  tarball = readdirSync(folder).find(name => name.endsWith('.tgz')) ?? '';
});

void t.test('README.md names the tarball that npm pack writes', async t => {
  t.match(readFileSync(join(root, 'README.md'), 'utf8'), `npm install -g ./${tarball}\n`);
});

void t.test('installed globally, the package gives the command lb4', { timeout: 150_000 }, async t => {
  const prefix = join(folder, 'global');
  const installed = await npm(
    ['install', '--prefer-offline', '--global', '--prefix', prefix, `./${tarball}`],
    folder,
  );
  t.equal(installed.code, 0, installed.stderr);
  const home = join(prefix, 'lib', 'node_modules', 'lb4-balancer');
  for (const left of ['dist/test', 'dist/bench', 'test', 'src'])
    t.notOk(existsSync(join(home, left)), `no ${left}`);

  const command = join(prefix, 'bin', 'lb4');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  t.equal((await runProgram(command, ['--version'])).stdout, `${version}\n`);
  const lb4 = await startLb4(t, ['-b', backend], { command: [command] });
  t.equal(await lb4.stop(), 0);
});

void t.test(
  'installed in a program, the package is a library with types, strategies, pools and the PROXY protocol',
  { timeout: 150_000, skip: skipUnlessFull() },
  async t => {
    const program = mkdtempSync(join(folder, 'program-'));
    writeFileSync(join(program, 'package.json'), '{ "private": true, "type": "module" }');
    const installed = await npm(['install', '--prefer-offline', `../${tarball}`], program);
    t.equal(installed.code, 0, installed.stderr);
    const home = join(program, 'node_modules', 'lb4-balancer');

    writeFileSync(
      join(program, 'use.ts'),
      `import { createLoadBalancer, type SessionRecord } from 'lb4-balancer';
     import { logTo, type LogEntry } from 'lb4-balancer/log';
     import { createDirectPool, type ConnectionPool, type Poolable } from 'lb4-balancer/pool';
     import { parseProxyHeader, type ParsedProxyHeader } from 'lb4-balancer/proxy-protocol';
     import { register, type Registration } from 'lb4-balancer/register';
     import { STRATEGY_NAMES, type StrategyFactory } from 'lb4-balancer/strategies';
     const balancer = createLoadBalancer({
       listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
       upstreams: [{ name: 'app', backends: ['${backend}'] }],
     });
     balancer.on('session:closed', (record: SessionRecord) => console.log(record.reason));
     const log = logTo(balancer, { to: (entry: LogEntry) => console.log(entry.event), access: true });
     logTo(balancer, { to: { type: 'file', path: 'lb4.log' }, level: 'warn' }, { baseDir: '/tmp' });
     // @ts-expect-error there is no such destination
     logTo(balancer, { to: 'nowhere' });
     await balancer.start();
     console.log(balancer.snapshot().state, STRATEGY_NAMES.length);
     await balancer.drain();
     const isWritten: boolean = await log.end();
     export const mine: StrategyFactory = candidates => ({ pick: () => candidates[0] });
     export const pool: ConnectionPool<Poolable, string> = createDirectPool({
       connect: done => { done({ ok: false, failure: 'closed' }); return () => {}; },
     });
     export const registration = (): Registration =>
       register({ admin: 'http://127.0.0.1:1', upstream: 'app', address: '${backend}' });
     export const parsed: ParsedProxyHeader = parseProxyHeader(Buffer.from('PROXY UNKNOWN\\r\\n'));
     // @ts-expect-error a listener needs a name
     createLoadBalancer({ listeners: [{ bind: ['127.0.0.1:0'], upstream: 'app' }], upstreams: [] });
    `,
    );
    const compiled = await runProgram(
      process.execPath,
      [
        join(root, 'node_modules/typescript/bin/tsc'),
        // Checking Node's own types along with lb4's takes three times as long.
        ...['--strict', '--skipLibCheck', `${!FULL}`, '--module', 'nodenext', '--target', 'es2022'],
        ...['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node', 'use.ts'],
      ],
      { cwd: program },
    );
    t.equal(compiled.code, 0, compiled.stdout);

    const run = async (code: string) => {
      writeFileSync(join(program, 'use.js'), code);
      const { stdout, stderr } = await runProgram(process.execPath, ['use.js'], { cwd: program });
      return { stdout, stderr };
    };
    const library = await run(`import { createLoadBalancer } from 'lb4-balancer';
     const balancer = createLoadBalancer({
       listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
       upstreams: [{ name: 'app', backends: ['${backend}'] }],
     });
     await balancer.start();
     console.log(balancer.snapshot().state);
     await balancer.drain();`);
    t.equal(library.stdout, 'running\n', library.stderr);

    const log = await run(sampleIn(join(home, 'docs/log.md')));
    t.match(log, { stdout: '', stderr: /"event":"drainStarted"/ });
    const pool = await run(sampleIn(join(home, 'pool/README.md')));
    t.equal(pool.stdout, 'hello\n', pool.stderr);
    const strategies = await run(sampleIn(join(home, 'strategies/README.md')));
    t.equal(strategies.stdout, '10.0.0.2:80\n', strategies.stderr);
  },
);

/** The first program in a document. */
function sampleIn(document: string): string {
  return /^```js\n(.*?)^```$/ms.exec(readFileSync(document, 'utf8'))?.[1] ?? '';
}
