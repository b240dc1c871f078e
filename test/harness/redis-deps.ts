/** What clients of Redis need of the outside, in tests: the machine's own names. */
import type { RedisDeps } from '../../src/control/mirror/redis-options.ts';
import { Names } from '../../src/names/names.ts';
import { netLookup } from '../../src/names/net-lookup.ts';
import { setUnrefTimer } from '../../src/support/timer.ts';

const names = new Names();

export const REDIS_DEPS: RedisDeps = {
  random: () => Math.random(),
  setTimer: setUnrefTimer,
  lookup: netLookup(host => names.lookup(host)),
};
