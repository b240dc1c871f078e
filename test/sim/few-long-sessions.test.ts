/** Three instances, 5 backends, 30 sessions of 60 s at a time. */
import { testRow } from './row-suite.ts';
import { ROWS } from '../../src/sim/table.ts';

await testRow(ROWS.fewLong, {
  reference: {
    ...{ random: 1.58, localLeastconn: 1.19, localP2c: 1.29 },
    ...{ sharedLeastconn: [1.11, 1.13, 1.27], sharedP2c: [1.17, 1.18, 1.19] },
  },
  leaves: { polled: [0.65, 0.7, 0.9], lb4: [0.6, 0.6, 0.75] },
});
