/** Started with `&` in a terminal that stops background programs which write to it (`stty tostop`), lb4 serves all the same. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { LB4 } from '../harness/lb4-process.ts';
import { find, freePort } from '../harness/programs.ts';
import '../harness/run-once.ts';
import { until } from '../harness/until.ts';

const TERMINAL = `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp('bash', ['bash', '-i', '-c', 'set -m; stty tostop; ' + sys.argv[1] + ' & echo "pid $!."; sleep 60'])
try:
    while True:
        os.write(1, os.read(fd, 65536))
except OSError:
    pass
`;
const libc = loadLibc();
const skip = (!libc.ok && libc.reason) || (find('python3') === undefined && 'this machine has no python3');

for (const engine of ['epoll', 'node']) {
  void t.test(`${engine}: every session logs, and none waits`, { skip }, async t => {
    const backend = await startBackend(t, scripts.echo);
    const port = await freePort();
    const args = `-b ${formatAddress(backend.address)} -l 127.0.0.1:${port} --engine ${engine} --workers 1`;
    const command = `'${process.execPath}' '${LB4}' ${args} --access-log --log-format json`;
    const terminal = spawn('python3', ['-c', TERMINAL, command], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    terminal.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
    const pidOf = (): number => Number(/pid (\d+)\./.exec(said)?.[1] ?? 0);
    t.teardown(async () => {
      if (pidOf() > 0) process.kill(pidOf(), 'SIGKILL');
      terminal.kill('SIGKILL');
      await once(terminal, 'close');
    });
    await until('it accepts', () => said.includes('"event":"started"'));
    for (let i = 0; i < 5; i += 1) {
      const client = await connectClient(t, { kind: 'tcp', host: '127.0.0.1', port });
      await client.send('x');
      await client.untilText('x');
      client.reset();
    }
    await until('each session has its line', () => said.split('"event":"session"').length > 5);
    t.notMatch(readFileSync(`/proc/${pidOf()}/stat`, 'utf8'), /\) T /, 'it is not stopped');
  });
}
