/** Eight instances, 20 backends, 40 sessions of 20 s at a time: no instance alone can see where there is room. */
import { testRow } from './row-suite.ts';
import { ROWS } from '../../src/sim/table.ts';

await testRow(ROWS.few, {
  reference: {
    ...{ random: 2.6, localLeastconn: 2.24, localP2c: 2.38 },
    ...{ sharedLeastconn: [1.41, 1.87, 3.34], sharedP2c: [1.86, 1.93, 1.95] },
  },
  leaves: { polled: [0.5, 0.7, 0.9], lb4: [0.4, 0.4, 0.75] },
});
