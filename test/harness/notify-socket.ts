/** What a service manager receives: a unix datagram socket that keeps every report. */
import { join } from 'node:path';
import * as abi from '../../src/linux/abi.ts';
import type { Libc } from '../../src/linux/libc.ts';
import { encodeAddress } from '../../src/linux/sockaddr.ts';
import type { Teardown } from './teardown.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { until } from './until.ts';

export interface NotifySocket {
  /** For `NOTIFY_SOCKET`. */
  readonly path: string;
  /** Reports so far, in their order. */
  reports(): readonly string[];
  /** Resolves with the first report, past or to come, that matches. */
  report(matches: RegExp): Promise<string>;
}

/** @param path default: a file of its own; `@name` is abstract */
export function notifySocket(t: Teardown, libc: Libc, path = newPath(t)): NotifySocket {
  const { family, bytes } = encodeAddress({ kind: 'unix', path });
  const fd = libc.socket(family, abi.SOCK_DGRAM | abi.SOCK_NONBLOCK | abi.SOCK_CLOEXEC, 0);
  if (libc.bind(fd, bytes, bytes.length) < 0) throw new Error(`bind failed with ${libc.errno()}`);
  t.teardown(() => libc.close(fd));
  const seen: string[] = [];
  const buffer = Buffer.alloc(4096);
  const reports = (): readonly string[] => {
    for (;;) {
      const count = libc.recv(fd, buffer, buffer.length, 0);
      if (count < 0) return seen;
      seen.push(buffer.toString('utf8', 0, count));
    }
  };
  return {
    path,
    reports,
    report: async matches => {
      await until(
        `there is a report like ${matches}`,
        () => reports().some(each => matches.test(each)),
        30_000,
      );
      return seen.find(each => matches.test(each)) ?? '';
    },
  };
}

function newPath(t: Teardown): string {
  return join(temporaryFolder(t), 'notify');
}
