/** Files of the kernel as values; undefined where one cannot be read or is not what was expected. */
import { systemCode } from '../../errors.ts';
import type { ReadFile } from '../../support/cgroup.ts';

export type Numbers = readonly [number, ...number[]];

/** `/proc/sys/…`: the numbers in it, one at least. */
export function sysctl(read: ReadFile, key: string): Numbers | undefined {
  const words = (textOf(read, pathOf(key)) ?? '').split(/\s+/).filter(Boolean);
  const [first, ...rest] = words.map(Number);
  return first === undefined || ![first, ...rest].every(Number.isFinite) ? undefined : [first, ...rest];
}

/** `net.core.somaxconn` → `/proc/sys/net/core/somaxconn`. */
export function pathOf(key: string): string {
  return `/proc/sys/${key.replaceAll('.', '/')}`;
}

/** Why a file cannot be read, for people. */
export function whyUnreadable(read: ReadFile, path: string): string {
  try {
    read(path);
    return `${path} has no number`;
  } catch (error) {
    return `cannot read ${path} (${systemCode(error)})`;
  }
}

export function textOf(read: ReadFile, path: string): string | undefined {
  try {
    return read(path);
  } catch {
    return undefined;
  }
}

/** A counter of /proc/net/netstat: pairs of lines, names above their values. */
export function netstatCounter(read: ReadFile, group: string, name: string): number | undefined {
  const lines = (textOf(read, '/proc/net/netstat') ?? '').split('\n');
  const [names, values] = lines.filter(line => line.startsWith(`${group}:`)).map(line => line.split(/\s+/));
  const at = names?.indexOf(name) ?? -1;
  return at < 0 ? undefined : numberOf(values?.[at]);
}

/** A figure of /proc/net/sockstat, such as `tw` in the line `TCP: inuse 7 orphan 0 tw 3`. */
export function sockstat(read: ReadFile, protocol: string, name: string): number | undefined {
  const line = (textOf(read, '/proc/net/sockstat') ?? '')
    .split('\n')
    .find(each => each.startsWith(`${protocol}:`))
    ?.split(/\s+/);
  const at = line?.indexOf(name) ?? -1;
  return at < 0 ? undefined : numberOf(line?.[at + 1]);
}

/** A line of /proc/PID/limits, as [soft, hard]; Infinity for unlimited. */
export function limitOf(
  read: ReadFile,
  name: string,
  pid: number | 'self' = 'self',
): readonly [number, number] | undefined {
  const text = textOf(read, `/proc/${pid}/limits`) ?? '';
  const line = text.split('\n').find(each => each.startsWith(name));
  const [soft, hard] = (line?.slice(name.length).trim().split(/\s+/) ?? []).map(word =>
    word === 'unlimited' ? Infinity : Number(word),
  );
  return soft === undefined || hard === undefined || Number.isNaN(soft + hard) ? undefined : [soft, hard];
}

/** A field of /proc/meminfo, in bytes. */
export function meminfo(read: ReadFile, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(textOf(read, '/proc/meminfo') ?? '');
  return found === null ? undefined : Number(found[1]) * 1024;
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
