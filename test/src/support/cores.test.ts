import t from 'tap';
import { usableCores } from '../../../src/support/cores.ts';

/** A process with this affinity and this quota. */
const machine =
  (affinity: string | undefined, cpuMax = 'max 100000') =>
  (path: string) => {
    const text = {
      '/proc/self/status':
        affinity && `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${affinity}\nThreads:\t1\n`,
      '/proc/self/cgroup': '0::/\n',
      '/proc/self/mountinfo': '29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
      '/sys/fs/cgroup/cpu.max': cpuMax,
    }[path];
    if (text === undefined) throw new Error(`ENOENT ${path}`);
    return text;
  };

void t.test('without limits all cores of the machine are usable', async t => {
  t.same(usableCores(machine('0-7'), 8, 8), { count: 8 });
  t.same(usableCores(machine('0-127'), 8, 8), { count: 8 }, 'also where more could be plugged in');
});

void t.test('a quota is rounded up, and never to nothing', async t => {
  for (const [cpuMax, count, cpus] of [
    ['100000 100000', 1, '1'],
    ['150000 100000', 2, '1.5'],
    ['5000 100000', 1, '0.05'],
    ['133333 100000', 2, '1.33'],
  ] as const) {
    t.same(usableCores(machine('0-63', cpuMax), 64, 64), {
      count,
      limit: `a CPU quota of ${cpus} on 64 cores`,
    });
  }
  t.same(usableCores(machine('0-1', '200000 100000'), 2, 2), { count: 2 }, 'one that takes nothing away');
});

void t.test('the affinity counts, and where both limit the lower one does', async t => {
  t.same(usableCores(machine('0-1,4,8-9'), 16, 16), { count: 5, limit: 'an affinity to 5 of 16 cores' });
  t.same(usableCores(machine('3', '200000 100000'), 16, 16), {
    count: 1,
    limit: 'an affinity to 1 of 16 cores',
  });
  t.match(usableCores(machine('0-3', '200000 100000'), 16, 16), { count: 2, limit: /quota of 2/ });
});

void t.test('where the system does not say, what Node takes for usable counts', async t => {
  t.same(usableCores(machine(undefined), 8, 4), { count: 4, limit: 'an affinity to 4 of 8 cores' });
  t.same(usableCores(machine(undefined), 0, 0), { count: 1 });
});
