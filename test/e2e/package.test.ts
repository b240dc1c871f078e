/** The package as npm delivers it: packed, installed in an empty folder, used as command and as library. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { FULL } from '../harness/full-load.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { runProgram } from '../harness/programs.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const npm = (args: string[], cwd: string) =>
  runProgram('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, timeoutMs: 120_000 });

void t.test(
  'the packed package gives a working lb4 and an importable library with types',
  { timeout: 150_000 },
  async t => {
    const folder = mkdtempSync(join(tmpdir(), 'lb4-package-'));
    t.teardown(() => rmSync(folder, { recursive: true, force: true }));
    const packed = await npm(['pack', '--ignore-scripts', '--pack-destination', folder], root);
    t.equal(packed.code, 0, packed.stderr);
    const tarball = readdirSync(folder).find(name => name.endsWith('.tgz')) ?? '';
    writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
    const installed = await npm(['install', '--prefer-offline', `./${tarball}`], folder);
    t.equal(installed.code, 0, installed.stderr);
    const home = join(folder, 'node_modules', 'lb4');
    for (const left of ['dist/test', 'dist/bench', 'test', 'src'])
      t.notOk(existsSync(join(home, left)), `no ${left}`);

    const command = join(folder, 'node_modules', '.bin', 'lb4');
    t.equal((await runProgram(command, ['--version'])).code, 0);
    const backend = await startBackend(t, scripts.echo);
    const lb4 = await startLb4(t, ['-b', formatAddress(backend.address)], { command: [command] });
    t.equal(await lb4.stop(), 0);

    writeFileSync(
      join(folder, 'use.ts'),
      `import { createLoadBalancer, type SessionRecord } from 'lb4';
     import { STRATEGY_NAMES, type StrategyFactory } from 'lb4/strategies';
     const balancer = createLoadBalancer({
       listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
       upstreams: [{ name: 'app', backends: ['${formatAddress(backend.address)}'] }],
     });
     balancer.on('session:closed', (record: SessionRecord) => console.log(record.reason));
     await balancer.start();
     console.log(balancer.snapshot().state, STRATEGY_NAMES.length);
     await balancer.drain();
     export const mine: StrategyFactory = candidates => ({ pick: () => candidates[0] });
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
      { cwd: folder },
    );
    t.equal(compiled.code, 0, compiled.stdout);
    writeFileSync(
      join(folder, 'use.js'),
      `import { createLoadBalancer } from 'lb4';
     const balancer = createLoadBalancer({
       listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
       upstreams: [{ name: 'app', backends: ['${formatAddress(backend.address)}'] }],
     });
     await balancer.start();
     console.log(balancer.snapshot().state);
     await balancer.drain();`,
    );
    const used = await runProgram(process.execPath, ['use.js'], { cwd: folder });
    t.equal(used.stdout, 'running\n', used.stderr);
  },
);
