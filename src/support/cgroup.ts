/**
 * What the control groups of this process allow it: processor time, memory and number of threads, in version 1, version 2 and
 * both at once, in a container or not.
 *
 * Place: asked once at start, and by `lb4 doctor`. The files are found as cgroups(7) describes: /proc/self/cgroup has a path for each
 * hierarchy, and /proc/self/mountinfo says where it is mounted and which part of it is visible there. Every ancestor
 * limits, too. A file that cannot be read limits nothing.
 */

/** Returns a file's text; throws when it cannot be read. */
export type ReadFile = (path: string) => string;

/** Processors that the process may use on average: 1.5 is one and a half. Undefined: no limit. */
export function cpuQuota(read: ReadFile): number | undefined {
  return lowest(
    cgroupFolders(read, 'cpu').map(({ version, path }) => {
      if (version === 2) {
        const [quota, period] = words(read, `${path}/cpu.max`);
        return ratio(quota, period);
      }
      const [quota] = words(read, `${path}/cpu.cfs_quota_us`);
      const [period] = words(read, `${path}/cpu.cfs_period_us`);
      return ratio(quota, period);
    }),
  );
}

/** Threads that the process's group may have, its processes included. Undefined: no limit. */
export function threadLimit(read: ReadFile): number | undefined {
  return lowest(
    cgroupFolders(read, 'pids').map(({ path }) => {
      const [max] = words(read, `${path}/pids.max`);
      return count(max);
    }),
  );
}

/** Bytes that the process's group may have, files that the kernel keeps for it included. Undefined: no limit. */
export function memoryLimit(read: ReadFile): number | undefined {
  const limit = lowest(
    cgroupFolders(read, 'memory').map(({ version, path }) => {
      const [max] = words(read, `${path}/${version === 2 ? 'memory.max' : 'memory.limit_in_bytes'}`);
      return count(max);
    }),
  );
  // Version 1 has a number for no limit: the highest that is a whole number of pages.
  return limit === undefined || limit > Number.MAX_SAFE_INTEGER / 2 ? undefined : limit;
}

/** How many of the periods of its quota the process's group has spent waiting for the next one. */
export function cpuThrottling(read: ReadFile): { readonly periods: number; readonly throttled: number } {
  const found = { periods: 0, throttled: 0 };
  for (const { path } of cgroupFolders(read, 'cpu')) {
    const figures = new Map(
      lines(read, `${path}/cpu.stat`)
        .map(line => line.split(' '))
        .map(([key = '', value]) => [key, count(value)]),
    );
    const [periods = 0, throttled = 0] = [figures.get('nr_periods'), figures.get('nr_throttled')];
    if (throttled > found.throttled || found.periods === 0) Object.assign(found, { periods, throttled });
  }
  return found;
}

interface Folder {
  readonly version: 1 | 2;
  readonly path: string;
}

interface Mount {
  /** The part of the hierarchy that is visible. */
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** The process's own folder and those above it, for the hierarchies that may have a controller. */
function cgroupFolders(read: ReadFile, controller: string): readonly Folder[] {
  const mounts = lines(read, '/proc/self/mountinfo').flatMap(toMount);
  return lines(read, '/proc/self/cgroup').flatMap(line => {
    const [id, controllers = '', ...rest] = line.split(':');
    // A path may have colons of its own.
    const path = rest.join(':');
    const version = id === '0' && controllers === '' ? 2 : 1;
    if (version === 1 && !controllers.split(',').includes(controller)) return [];
    const mount = mounts.find(({ type, options }) =>
      version === 2 ? type === 'cgroup2' : type === 'cgroup' && options.includes(controller),
    );
    return mount === undefined ? [] : upwards(mount, path).map(each => ({ version, path: each }) as const);
  });
}

function toMount(line: string): Mount[] {
  // 36 35 98:0 /root /point rw,noatime [optional fields] - type source options
  const [before = '', after = ''] = line.split(' - ');
  const [, , , root, point] = before.split(' ');
  const [type, , options = ''] = after.split(' ');
  if (root === undefined || point === undefined || type === undefined) return [];
  return [{ root: unescaped(root), point: unescaped(point), type, options: options.split(',') }];
}

/** Folders as they are mounted, from `path` up to the mount point. */
function upwards({ root, point }: Mount, path: string): string[] {
  // A container sees its own group as the root, whatever it is called outside.
  const isSeen = (path === root || path.startsWith(root === '/' ? '/' : `${root}/`)) && !path.includes('..');
  const names = isSeen
    ? path
        .slice(root === '/' ? 0 : root.length)
        .split('/')
        .filter(Boolean)
    : [];
  return [...names.keys(), names.length].map(depth => [point, ...names.slice(0, depth)].join('/')).reverse();
}

/** Spaces and the like are octal in mountinfo (proc(5)). */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** Undefined for `max`, -1 and text that is no number. */
function ratio(quota: string | undefined, period: string | undefined): number | undefined {
  const [of, per] = [count(quota), count(period)];
  return of === undefined || per === undefined ? undefined : of / per;
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}

function lowest(limits: readonly (number | undefined)[]): number | undefined {
  const known = limits.filter(limit => limit !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

function words(read: ReadFile, path: string): string[] {
  return lines(read, path)[0]?.split(/\s+/) ?? [];
}

function lines(read: ReadFile, path: string): string[] {
  try {
    return read(path).split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
