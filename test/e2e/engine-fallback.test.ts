/**
 * Where the epoll engine cannot be had: one line says why, and the node engine does the work. Where koffi alone is
 * missing, a Node with node:ffi has the epoll engine all the same.
 */
import { spawn } from 'node:child_process';
import { isBuiltin } from 'node:module';
import t, { type Test } from 'tap';

import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { LB4, startLb4 } from '../harness/lb4-process.ts';
import '../harness/run-once.ts';
import { nodeArgsWithout } from '../harness/seccomp.ts';
import { WITHOUT_FFI, WITHOUT_KOFFI } from '../harness/without-koffi.ts';

const HAS_NODE_FFI = isBuiltin('node:ffi');

/** As on a system without /proc. */
const WITHOUT_PROC = [
  '--import',
  `data:text/javascript,${encodeURIComponent(`
    import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const { accessSync } = fs;
    fs.accessSync = (path, ...rest) => accessSync(String(path).replace(/^.proc.self.net/, '/nowhere'), ...rest);
    syncBuiltinESMExports();`)}`,
];

interface Case {
  readonly what: string;
  readonly args: readonly string[] | undefined;
  readonly workers: number | undefined;
  readonly reason: RegExp;
  /** What the line says beside that. */
  readonly also?: RegExp;
}

const CASES: readonly Case[] = [
  { what: 'without koffi', args: WITHOUT_FFI, workers: 0, reason: /koffi cannot be loaded/ },
  {
    what: 'without koffi and /proc',
    args: [...WITHOUT_FFI, ...WITHOUT_PROC],
    workers: 0,
    reason: /koffi cannot be loaded/,
    also: /a reset behind data is passed on as a FIN/,
  },
  {
    what: 'where a filter forbids splice',
    args: nodeArgsWithout('splice'),
    workers: undefined,
    reason: /the system does not allow splice \(EPERM\)/,
  },
];

for (const { what, args, workers, reason, also = /./ } of CASES) {
  const skip = process.platform !== 'linux' || args === undefined ? 'Linux with koffi only' : false;

  void t.test(`${what}, one line says why, and everything works on the node engine`, { skip }, async t => {
    const lb4 = await start(t, args ?? [], ['--engine', 'auto']);
    const started = await lb4.line(({ event }) => event === 'started');
    t.equal(started['engine'], 'node');
    if (workers !== undefined) t.equal(started['workers'], workers);
    const lines = lb4.lines.filter(({ event }) => event === 'engineChosen');
    t.equal(lines.length, 1);
    t.match(lines[0]?.['reason'], reason);
    t.match(lines[0]?.['reason'], also);
    const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
    await client.send('hello');
    await client.untilText('hello');
    client.halfClose();
    t.equal(await client.untilEnded(), 'fin');
    t.equal(await lb4.stop(), 0);
  });

  void t.test(`${what}, asking for epoll is an error that says why`, { skip }, async t => {
    const child = spawn(
      process.execPath,
      [...(args ?? []), LB4, '-b', '127.0.0.1:1', '-l', '127.0.0.1:0', '--engine', 'epoll'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    const code = await new Promise(resolve => child.once('close', resolve));
    t.equal(code, 1);
    t.match(said, /the epoll engine cannot run here/);
    t.match(said, reason);
  });
}

const onNodeFfi = HAS_NODE_FFI && process.platform === 'linux' ? false : 'Linux and Node 26.9 only';
void t.test(
  'without koffi, node:ffi makes the calls, in workers too, and nothing is said of it',
  { skip: onNodeFfi },
  async t => {
    const lb4 = await start(t, WITHOUT_KOFFI, ['--engine', 'epoll', '--workers', '2']);
    const started = await lb4.line(({ event }) => event === 'started');
    t.match(started, {
      engine: 'epoll',
      workers: 2,
      ffi: 'node:ffi',
      message: /engine epoll over node:ffi, 2 workers/,
    });
    const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
    await client.send('hello');
    await client.untilText('hello');
    client.halfClose();
    t.equal(await client.untilEnded(), 'fin');
    t.equal(await lb4.stop(), 0);
    t.strictSame(
      lb4.lines.filter(({ level }) => level !== 'info'),
      [],
    );
    t.strictSame(lb4.other, [], 'no warning of Node');
  },
);

async function start(t: Test, nodeArgs: readonly string[], args: readonly string[]) {
  const backend = await startBackend(t, scripts.echo);
  const { address } = backend;
  if (address.kind === 'unix') throw new Error('not a TCP address');
  return await startLb4(t, ['-b', `${address.host}:${address.port}`, ...args], {
    command: [process.execPath, ...nodeArgs, LB4],
    env: { LB4_ENGINE: 'auto', LB4_WORKERS: 'auto' },
  });
}
