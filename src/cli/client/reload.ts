/** `lb4 reload`: a running lb4 reads its configuration file again. */
import type { ReloadReport } from '../../model/reload-report.ts';
import { printable } from '../../support/printable.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { ClientOptions } from './admin-client.ts';
import { runClient } from './client-command.ts';

export interface ReloadOptions extends ClientOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export async function reload({ dryRun = false, json, ...options }: ReloadOptions): Promise<ExitCode> {
  return runClient(options, async ({ client, write }) => {
    const report = (await client.ask('POST', '/api/v1/reload', { dryRun })) as ReloadReport & { ok: true };
    const lines = [...report.warnings, ...report.changes].map(({ text }) => `${printable(text)}\n`);
    const heading = dryRun ? 'would change:\n' : '';
    const text = lines.length === 0 ? 'nothing changes\n' : `${heading}${lines.join('')}`;
    write(json === true ? `${JSON.stringify(report)}\n` : text);
  });
}
