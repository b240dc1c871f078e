/** `lb4 drain` without a backend: ends the whole instance as SIGTERM does. */
import { counted } from '../../support/counted.ts';
import type { ExitCode } from '../exit-codes.ts';
import { ClientError } from './admin-client.ts';
import type { ChangeOptions } from './backends.ts';
import { durationOf, runClient } from './client-command.ts';
import type { StatusAnswer } from './status.ts';
import { untilDrained } from './wait.ts';

export async function drainInstance(options: ChangeOptions): Promise<ExitCode> {
  return runClient(options, async ({ client, write }) => {
    const timeoutMs =
      options.timeout === undefined ? Infinity : durationOf('--timeout', options.timeout, 0, 2 ** 31);
    const answer = (await client.ask('POST', '/api/v1/drain', {})) as {
      readonly state: string;
      readonly sessions: number;
    };
    const text = `${answer.state}: ${counted(answer.sessions, 'session')} to end\n`;
    write(options.json === true ? `${JSON.stringify(answer)}\n` : text);
    if (options.wait !== true) return;
    await untilDrained(timeoutMs, async () => {
      try {
        const { sessions } = (await client.ask('GET', '/api/v1/status')) as StatusAnswer;
        // Not over before the process has ended: until then its pid file and its socket are taken.
        return { left: sessions, isOver: false };
      } catch (error) {
        if (!(error instanceof ClientError) || !error.isGone) throw error;
        return { left: 0, isOver: true };
      }
    });
  });
}
