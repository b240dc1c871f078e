/** A process ends when it is told to, although something in it never ends. */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { LB4, startLb4 } from '../harness/lb4-process.ts';
import { ended, runProgram } from '../harness/programs.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

function strategyFile(t: Test, source: string): string {
  const folder = temporaryFolder(t);
  const path = join(folder, 'strategy.mjs');
  writeFileSync(path, source);
  return path;
}

void t.test(
  'a stop does not wait for a thread that blocks in a system call, and its sessions are reset',
  { skip: loadLibc().ok ? false : 'workers need koffi on Linux' },
  async t => {
    const backend = await startBackend(t, scripts.echo);
    const strategy = strategyFile(
      t,
      `import { execSync } from 'node:child_process';
       export function createStrategy(candidates) {
         return { pick({ clientAddress, skip }) {
           if (clientAddress === '127.0.0.2') execSync('echo blocked >&2; sleep 60');
           return candidates.find(candidate => !skip?.(candidate));
         } };
       }`,
    );
    const args = ['-b', formatAddress(backend.address), '-s', strategy, '--workers', '1', '--health', 'off'];
    const lb4 = await startLb4(t, args);
    const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
    await client.send('x');
    await client.untilText('x');
    const other = connect({ host: lb4.host, port: lb4.port, localAddress: '127.0.0.2' });
    other.on('error', () => undefined);
    t.teardown(() => other.destroy());
    await lb4.line(({ event }) => event === 'workerStalled');
    lb4.child.kill('SIGQUIT');
    t.same(await ended(lb4.child), { code: 0, signal: null });
    t.equal(await client.untilEnded(), 'reset');
  },
);

void t.test(
  'a start that hangs in a strategy ends after SIGTERM once the strategy has had its time',
  async t => {
    const hanging = strategyFile(
      t,
      'setInterval(() => undefined, 1000); await new Promise(() => undefined);',
    );
    const { code, stderr } = await runProgram(
      'timeout',
      ['-s', 'TERM', '2', process.execPath, LB4, '-b', '127.0.0.1:81', '-l', '127.0.0.1:0', '-s', hanging],
      { timeoutMs: 30_000 },
    );
    t.equal(code, 124, 'of timeout, which has waited for it');
    t.match(stderr, /"event":"stopping"/);
    t.notMatch(stderr, /"event":"stopTooLate"/, 'it ends by itself');
  },
);
