import t from 'tap';
import { cpuQuota, threadLimit } from '../../../src/support/cgroup.ts';

/** A file system of these files. */
const reader = (files: Record<string, string>) => (path: string) => {
  const text = files[path];
  if (text === undefined) throw new Error(`ENOENT ${path}`);
  return text;
};

const V2_MOUNT = '29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';
const V1_CPU = '33 32 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n';
const V1_PIDS = '34 32 0:31 / /sys/fs/cgroup/pids rw shared:10 - cgroup cgroup rw,pids\n';

const v2 = (path: string, files: Record<string, string>, mounts = V2_MOUNT) =>
  reader({ '/proc/self/cgroup': `0::${path}\n`, '/proc/self/mountinfo': mounts, ...files });

void t.test('version 2: quota over period, and max is no limit', async t => {
  const quota = (text: string) => cpuQuota(v2('/app', { '/sys/fs/cgroup/app/cpu.max': text }));
  t.equal(quota('150000 100000\n'), 1.5);
  t.equal(quota('50000 100000\n'), 0.5);
  t.equal(quota('20000 10000\n'), 2);
  t.equal(quota('max 100000\n'), undefined);
  for (const text of ['', '\n', 'max', '150000', '0 100000', '100000 0', '-1 100000', 'x y', '1e5 100000']) {
    t.equal(quota(text), undefined, JSON.stringify(text));
  }
});

void t.test('every ancestor limits: the lowest counts', async t => {
  const files = {
    '/sys/fs/cgroup/kubepods/cpu.max': '400000 100000\n',
    '/sys/fs/cgroup/kubepods/pod/cpu.max': '200000 100000\n',
    '/sys/fs/cgroup/kubepods/pod/box/cpu.max': 'max 100000\n',
    '/sys/fs/cgroup/kubepods/pod/pids.max': '100\n',
    '/sys/fs/cgroup/kubepods/pod/box/pids.max': 'max\n',
  };
  t.equal(cpuQuota(v2('/kubepods/pod/box', files)), 2);
  t.equal(threadLimit(v2('/kubepods/pod/box', files)), 100);
  t.equal(cpuQuota(v2('/kubepods/other', files)), 4, 'also where the own folder cannot be read');
});

void t.test('version 1: a quota of -1 is none, and controllers share a mount', async t => {
  const v1 = (quota: string, more: Record<string, string> = {}) =>
    reader({
      '/proc/self/cgroup': '9:name=systemd:/x\n5:pids:/job\n4:cpu,cpuacct:/job/part\n',
      '/proc/self/mountinfo': V1_PIDS + V1_CPU,
      '/sys/fs/cgroup/cpu,cpuacct/job/part/cpu.cfs_quota_us': quota,
      '/sys/fs/cgroup/cpu,cpuacct/job/part/cpu.cfs_period_us': '100000\n',
      '/sys/fs/cgroup/pids/job/pids.max': '33\n',
      ...more,
    });
  t.equal(cpuQuota(v1('-1\n')), undefined);
  t.equal(cpuQuota(v1('250000\n')), 2.5);
  t.equal(threadLimit(v1('-1\n')), 33);
  const above = {
    '/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us': '100000',
    '/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us': '100000',
  };
  t.equal(cpuQuota(v1('-1\n', above)), 1);
});

void t.test('both versions at once: the one that has the controller limits', async t => {
  const hybrid = (files: Record<string, string>) =>
    reader({
      '/proc/self/cgroup': '4:cpu,cpuacct:/job\n0::/slice\n',
      '/proc/self/mountinfo': V1_CPU + V2_MOUNT.replace('/sys/fs/cgroup', '/sys/fs/cgroup/unified'),
      ...files,
    });
  t.equal(
    cpuQuota(
      hybrid({
        '/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us': '300000',
        '/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us': '100000',
      }),
    ),
    3,
  );
  t.equal(cpuQuota(hybrid({ '/sys/fs/cgroup/unified/slice/cpu.max': '100000 100000' })), 1);
});

void t.test('a container sees its group as the root, whatever its path is called', async t => {
  const files = { '/sys/fs/cgroup/cpu.max': '100000 100000\n' };
  t.equal(cpuQuota(v2('/', files)), 1, 'a cgroup namespace');
  t.equal(cpuQuota(v2('/docker/4f3a', files)), 1, 'the path of the host, which is not there');
  const mounted = V2_MOUNT.replace(' / /sys', ' /docker/4f3a /sys');
  t.equal(cpuQuota(v2('/docker/4f3a', files, mounted)), 1, 'a part of the hierarchy is mounted');
  const inner = { ...files, '/sys/fs/cgroup/part/cpu.max': '50000 100000\n' };
  t.equal(cpuQuota(v2('/docker/4f3a/part', inner, mounted)), 0.5, 'and the process is below it');
  t.equal(cpuQuota(v2('/docker/4f3ab', inner, mounted)), 1, 'but not beside it');
  t.equal(cpuQuota(v2('/../../elsewhere', files)), 1, 'outside of the namespace');
});

void t.test('names with colons and spaces are understood', async t => {
  const mounts = V2_MOUNT.replace('/sys/fs/cgroup ', '/my\\040groups ');
  t.equal(cpuQuota(v2('/a:b', { '/my groups/a:b/cpu.max': '100000 100000' }, mounts)), 1);
});

void t.test('what cannot be read limits nothing', async t => {
  t.equal(cpuQuota(reader({})), undefined);
  t.equal(threadLimit(reader({})), undefined);
  t.equal(cpuQuota(reader({ '/proc/self/cgroup': '0::/\n' })), undefined);
  t.equal(
    cpuQuota(reader({ '/proc/self/cgroup': 'nonsense\n\n:::', '/proc/self/mountinfo': 'nonsense\n - \n' })),
    undefined,
  );
});
