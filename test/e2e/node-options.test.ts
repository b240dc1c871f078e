/** lb4 as deploy/ starts it, through a link and with an option of Node: it runs, and an upgrade keeps the option. */
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { LB4, startLb4 } from '../harness/lb4-process.ts';
import { ended } from '../harness/programs.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const skip = !loadLibc().ok && 'the C library cannot be called here';

void t.test('started as node --no-memory-reducer, and after an upgrade', { skip }, async t => {
  const link = join(temporaryFolder(t), 'lb4');
  symlinkSync(LB4, link);
  const command = [process.execPath, '--no-memory-reducer', link];
  const lb4 = await startLb4(t, ['-b', '127.0.0.1:1', '--workers', '1'], { command });
  lb4.child.kill('SIGUSR2');
  const { newcomer } = await lb4.line(({ event }) => event === 'upgraded');
  const pid = Number(newcomer);
  t.teardown(() => isRunning(pid) && process.kill(pid, 'SIGKILL'));
  t.same(commandOf(pid).slice(0, 3), command);
  t.same(await ended(lb4.child), { code: 0, signal: null });
  process.kill(pid, 'SIGTERM');
  await until('it has ended', () => !isRunning(pid));
});

function commandOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
}

/** Its parent is gone, so a zombie may be left. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
