/** The start of the command as it ships: in few files, and ready for many clients. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { formatAddress } from '../../src/support/address.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { LB4, startLb4 } from '../harness/lb4-process.ts';
import { runProgram } from '../harness/programs.ts';
import '../harness/run-once.ts';

const FOLDER = fileURLToPath(new URL('../../bundle/bin/', import.meta.url));
const BUNDLED = join(FOLDER, 'lb4.js');
const noBundle = !existsSync(BUNDLED) && 'there is no bundle: npm run build';
const noLibc = !loadLibc().ok && 'the C library cannot be called here';
/** Engine and workers; the epoll engine runs in workers only. */
const WAYS = [
  ['node', '0'],
  ...(noLibc
    ? []
    : [
        ['epoll', '1'],
        ['node', '2'],
      ]),
] as const;

void t.test('the bundle imports Node, itself and koffi', { skip: noBundle }, async t => {
  const files = readdirSync(FOLDER);
  t.ok(files.includes('worker-main.js'), 'the worker is in it');
  const imported = files.flatMap(file => {
    const text = readFileSync(join(FOLDER, file), 'utf8');
    return [...text.matchAll(/^(?:import|export)[^'"\n]*["']([^"'\n]+)["'];|\bimport\("([^"\n]+)"\)/gm)].map(
      ([, first, second]) => first ?? second ?? '',
    );
  });
  t.ok(imported.length > 50);
  const own = /^(?:node:|\.\/)/;
  // Packages name some of Node's modules without "node:".
  const rest = imported.filter(name => !own.test(name) && process.getBuiltinModule(name) === undefined);
  t.strictSame([...new Set(rest)], []);
});

for (const [engine, workers] of WAYS) {
  void t.test(`bundled, ${engine} engine, ${workers} workers: it serves`, { skip: noBundle }, async t => {
    const backend = await startBackend(t, scripts.echo);
    const args = ['-b', formatAddress(backend.address), '--engine', engine, '--workers', workers];
    const lb4 = await startLb4(t, args, { command: [process.execPath, BUNDLED] });
    const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
    void client.send('hello');
    await client.untilText('hello');
    client.reset();
    t.equal(await lb4.stop(), 0);
  });
}

void t.test('bundled, the Redis client is loaded when it is wanted', { skip: noBundle }, async t => {
  const lb4 = await startLb4(t, ['-b', '127.0.0.1:1', '--redis', 'redis://127.0.0.1:1'], {
    command: [process.execPath, BUNDLED],
  });
  const line = await lb4.line(({ event }) => event === 'mirrorLocal');
  t.match(JSON.stringify(line), 'ECONNREFUSED');
  t.equal(await lb4.stop(), 0);
});

void t.test(
  'bundled, a bad option, a bad file and --version are answered alike',
  { skip: noBundle },
  async t => {
    for (const args of [
      ['--version'],
      ['--no-such'],
      ['-c', '/no/such/file'],
      ['check', '-c', '/dev/null'],
      [],
    ]) {
      const [separate, bundled] = await Promise.all(
        [LB4, BUNDLED].map(program => runProgram(process.execPath, [program, ...args])),
      );
      t.strictSame(bundled, separate, args.join(' '));
    }
  },
);

void t.test(
  'there is room for as many descriptors as the limit allows before the first client',
  { skip: noLibc },
  async t => {
    for (const workers of ['0', '1']) {
      const lb4 = await startLb4(t, ['-b', '127.0.0.1:1', '--workers', workers], {
        command: ['bash', '-c', 'ulimit -n 2048; exec "$@"', 'lb4', process.execPath, LB4],
      });
      const room = /^FDSize:\s+(\d+)$/m.exec(readFileSync(`/proc/${lb4.pid}/status`, 'utf8'))?.[1];
      t.equal(Number(room), 2048, `${workers} workers`);
      t.equal(await lb4.stop(), 0);
    }
  },
);
