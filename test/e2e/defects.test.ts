/**
 * A defect ends lb4, and never looks like the end of an answer: in the middle of a transfer both sides get a reset,
 * whichever thread moves the bytes and however the process ends.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { formatAddress } from '../../src/support/address.ts';
import { startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { FULL } from '../harness/full-load.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { ended } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

/** What happens in the control thread, at a signal that lb4 does not use; with its exit code. */
const DEFECTS = [
  ['an error that nothing catches', 'setImmediate(() => { throw new Error("a defect\\nin two lines"); })', 1],
  ['a promise that nothing waits for', 'void Promise.reject(new Error("a defect\\nin two lines"))', 1],
  ['an exit in the middle of everything', 'process.exit(3)', 3],
] as const;
const PLANES = [
  ['epoll', 1],
  ['epoll', 2],
  ['node', 0],
  ['node', 1],
  ['node', 2],
] as const;

const folder = temporaryFolder(t);

for (const [index, [what, code, exitCode]] of DEFECTS.entries()) {
  const path = join(folder, `defect-${index}.mjs`);
  writeFileSync(
    path,
    `import { isMainThread } from 'node:worker_threads';
     if (isMainThread) process.on('SIGWINCH', () => { ${code} });`,
  );
  for (const [engine, workers] of PLANES) {
    // The first defect over all of them; the others where they may take another way.
    const isSpared = !FULL && index > 0 && (engine === 'epoll' ? workers > 1 : workers === 1);
    const skip = isSpared && 'LB4_TEST_LOAD=full runs it';
    void t.test(
      `${what}, ${engine}, ${workers} workers: a transfer is reset on both sides`,
      { skip },
      async t => {
        const backend = await startBackend(t, peer => {
          const sending = setInterval(() => void peer.send('x'.repeat(10_000)), 2);
          peer.socket.on('close', () => clearInterval(sending));
        });
        const lb4 = await startLb4(
          t,
          [
            '-b',
            formatAddress(backend.address),
            '--engine',
            engine,
            '--workers',
            `${workers}`,
            '--health',
            'off',
            // With more time the sessions of workers go on: crash.test.ts.
            '--drain-timeout',
            '0s',
          ],
          { env: { NODE_OPTIONS: `--import=${path}` } },
        );
        const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
        const atBackend = await backend.next();
        await client.untilBytes(100_000);
        lb4.child.kill('SIGWINCH');
        t.equal(await client.untilEnded(), 'reset', 'at the client');
        t.equal(await atBackend.untilEnded(), 'reset', 'at the backend');
        t.same(await ended(lb4.child), { code: exitCode, signal: null });
        if (exitCode !== 1) return;
        const line = await lb4.line(({ event }) => event === 'crashed');
        t.match(line['message'], 'a defect ends lb4: Error: a defect\nin two lines at ', 'one line says why');
      },
    );
  }
}
