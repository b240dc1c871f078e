/** Eight instances, 20 backends, 2000 sessions of 1 s per second: sharing cannot help, and must not harm. */
import { testRow } from './row-suite.ts';
import { ROWS } from '../../src/sim/table.ts';

await testRow(ROWS.manyShort, {
  reference: {
    ...{ random: 1.16, localLeastconn: 1.03, localP2c: 1.07 },
    ...{ sharedLeastconn: [2.14, 5.93, 6.33], sharedP2c: [1.07, 1.18, 1.32] },
  },
  // One herd per period, and only three of the longest are measured; over thirty the figure is 6.46.
  looseHerd: 0.55,
});
