/** `lb4 drain` without a backend: ends the whole instance as SIGTERM does. */
import { counted } from '../../support/counted.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { ChangeOptions } from './backends.ts';
import { runClient } from './client-command.ts';
import type { StatusAnswer } from './status.ts';
import { answerWithin, timeoutOf, untilDrained } from './wait.ts';

export async function drainInstance(options: ChangeOptions): Promise<ExitCode> {
  return runClient(options, async ({ client, write }) => {
    const timeoutMs = timeoutOf(options);
    const status = async (within = answerWithin(timeoutMs)): Promise<StatusAnswer> =>
      (await client.ask('GET', '/api/v1/status', undefined, within)) as StatusAnswer;
    const asked = options.wait === true ? await status() : undefined;
    const answer = (await client.ask('POST', '/api/v1/drain', {}, answerWithin(timeoutMs))) as {
      readonly state: string;
      readonly sessions: number;
    };
    const text = `${answer.state}: ${counted(answer.sessions, 'session')} to end\n`;
    write(options.json === true ? `${JSON.stringify(answer)}\n` : text);
    if (asked === undefined) return;
    await untilDrained(timeoutMs, async within => {
      const { pid, sessions } = await status(within);
      // Not over before the process has ended: until then its pid file and its socket are taken. Another process: it
      // has ended, and was started again.
      return pid === asked.pid ? { left: sessions, isOver: false } : { left: 0, isOver: true };
    });
  });
}
