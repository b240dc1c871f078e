/**
 * The dashboard of `lb4 demo`: at the address that was asked for, else at 127.0.0.1:9090 or, if that is taken, at a
 * port that is free.
 *
 * Place: demo.ts opens it once the balancer runs. It has the whole admin API, so that commands can be tried, too.
 */
import { hostname } from 'node:os';
import { AdminServer } from '../admin/admin-server.ts';
import type { Balanced } from '../admin/port.ts';
import { adminCrossChecks } from '../config/checks/admin-cross-checks.ts';
import { BIND_ALLOWS } from '../config/schema/fields.ts';
import { Lb4Error } from '../errors.ts';
import type { Log } from '../observe/log.ts';
import { formatAddress, parseAddress, type Address } from '../support/address.ts';
import { adminClients } from '../support/process-limits.ts';
import { ADMIN_SURROUNDINGS } from './admin-surroundings.ts';
import { version } from './version.ts';

const USUAL = '127.0.0.1:9090';
const FREE = '127.0.0.1:0';
/** The demo's screen has no room for a log. */
const NO_LOG: Log = {
  format: 'text',
  isEnabled: () => false,
  write: () => undefined,
  lose: () => undefined,
};

export interface DemoDashboard {
  readonly address: string;
  /** The usual address, if that was taken. */
  readonly taken: string | undefined;
  close(): void;
}

/** Rejects with LB4_CONFIG_INVALID for an address that is none or needs a token, with LB4_LISTEN_FAILED if it is taken. */
export async function openDashboard(balancer: Balanced, wanted: string | undefined): Promise<DemoDashboard> {
  const server = new AdminServer({
    port: {
      balancer,
      about: { name: 'demo', version: version(), pid: process.pid },
      readyNeeds: 'listeners',
      noReload: 'lb4 demo has no configuration file',
      drain: () => process.kill(process.pid, 'SIGTERM'),
    },
    rules: { token: undefined, hosts: [hostname()] },
    mostClients: adminClients(),
    log: NO_LOG,
    ...ADMIN_SURROUNDINGS,
  });
  const listen = async (text: string): Promise<string> => formatAddress(await server.listen(addressOf(text)));
  const opened = (address: string, taken?: string): DemoDashboard => ({
    ...{ address, taken },
    close: () => server.close(),
  });
  if (wanted !== undefined) return opened(await listen(wanted));
  try {
    return opened(await listen(USUAL));
  } catch (error) {
    if (!(error instanceof Lb4Error) || error.code !== 'LB4_LISTEN_FAILED') throw error;
    return opened(await listen(FREE), USUAL);
  }
}

function addressOf(text: string): Address {
  const parsed = parseAddress(text, BIND_ALLOWS);
  if (parsed.ok && parsed.address.kind === 'tcp' && adminCrossChecks({ bind: text }).length === 0)
    return parsed.address;
  const expected = 'an address that only this machine can reach, such as 127.0.0.1:9091';
  throw new Lb4Error('LB4_CONFIG_INVALID', `--admin: expected ${expected}, got ${text}`);
}
