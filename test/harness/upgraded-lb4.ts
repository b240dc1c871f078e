/**
 * lb4 through its upgrades: the processes that follow each other, watched through the one log that they share.
 */
import { readFileSync } from 'node:fs';
import { startLb4, type Lb4Process, type LogLine } from './lb4-process.ts';
import type { Teardown } from './teardown.ts';
import { until } from './until.ts';

export interface UpgradedLb4 extends Lb4Process {
  /** The process that takes clients. */
  current(): number;
  /** Sends SIGUSR2; resolves when the newcomer has started, to its line `started`. Rejects when it has not taken over. */
  upgrade(): Promise<LogLine>;
  /** It was upgraded in another way: this process takes clients now. */
  follow(pid: number): void;
  /** Where its listeners have ever accepted. */
  addresses(): readonly string[];
}

export async function startUpgradedLb4(
  t: Teardown,
  args: readonly string[],
  options: Parameters<typeof startLb4>[2] = {},
): Promise<UpgradedLb4> {
  const lb4 = await startLb4(t, args, options);
  let current = lb4.pid;
  t.teardown(() => {
    for (const { event, newcomer } of lb4.lines) {
      if (event === 'upgradeStarted' && isRunning(Number(newcomer)))
        process.kill(Number(newcomer), 'SIGKILL');
    }
  });
  return Object.assign(lb4, {
    current: () => current,
    async upgrade(): Promise<LogLine> {
      const before = lb4.lines.length;
      const next = (events: readonly string[]): Promise<LogLine> =>
        lb4.line(line => lb4.lines.indexOf(line) >= before && events.includes(line.event));
      process.kill(current, 'SIGUSR2');
      const line = await next(['upgraded', 'upgradeFailed', 'upgradeRefused']);
      if (line.event !== 'upgraded') throw new Error(String(line['message']));
      current = Number(line['newcomer']);
      return next(['started']);
    },
    follow: (pid: number) => void (current = pid),
    addresses: () => [
      ...new Set(lb4.lines.filter(({ event }) => event === 'listening').map(line => String(line['address']))),
    ],
  });
}

/** False for a process that has ended and whose parent has not asked for its exit code. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

export async function untilGone(pid: number): Promise<void> {
  await until(`process ${pid} has ended`, () => !isRunning(pid));
}
