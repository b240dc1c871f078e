/** `lb4 upgrade`: a running lb4 hands over to the version that is installed now. */
import { counted } from '../../support/counted.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { ClientOptions } from './admin-client.ts';
import { runClient } from './client-command.ts';

/** Longer than lb4 itself waits for the other process. */
const ANSWER_MS = 90_000;

export interface UpgradeOptions extends ClientOptions {
  readonly json?: boolean;
}

export async function upgrade({ json, ...options }: UpgradeOptions): Promise<ExitCode> {
  return runClient(options, async ({ client, write }) => {
    const before = (await client.ask('GET', '/api/v1/status')) as { pid: number; sessions: number };
    const answer = await client.ask('POST', '/api/v1/upgrade', {}, { withinMs: ANSWER_MS });
    const { pid, version } = answer as { pid: number; version: string };
    const sessions =
      before.sessions === 0 ? '' : `, with ${counted(before.sessions, 'session')} at the last look`;
    const text = `lb4 ${version} has taken over as process ${pid}; process ${before.pid} drains${sessions}\n`;
    write(json === true ? `${JSON.stringify(answer)}\n` : text);
  });
}
