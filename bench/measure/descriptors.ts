/**
 * Open descriptors of processes, from /proc/PID/fd: how many, and how many of them are sockets.
 */
import { readdirSync, readlinkSync } from 'node:fs';

export interface Descriptors {
  readonly all: number;
  readonly sockets: number;
}

/** Over all of the processes; undefined where the system does not tell. */
export function openDescriptors(pids: readonly number[]): Descriptors | undefined {
  let all = 0;
  let sockets = 0;
  for (const pid of pids) {
    const folder = `/proc/${String(pid)}/fd`;
    let names: string[];
    try {
      names = readdirSync(folder);
    } catch {
      return undefined;
    }
    for (const name of names) {
      const target = targetOf(`${folder}/${name}`);
      if (target === undefined) continue;
      all++;
      if (target.startsWith('socket:')) sockets++;
    }
  }
  return { all, sockets };
}

/** Undefined for a descriptor that was closed since the folder was listed. */
function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}
