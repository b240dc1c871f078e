/** Three instances, 5 backends, 600 sessions of 30 s at a time: local counts are nearly perfect already. */
import { testRow } from './row-suite.ts';
import { ROWS } from '../../src/sim/table.ts';

await testRow(ROWS.manyLong, {
  reference: {
    ...{ random: 1.14, localLeastconn: 1.01, localP2c: 1.02 },
    ...{ sharedLeastconn: [1.02, 1.09, 1.35], sharedP2c: [1.01, 1.02, 1.06] },
  },
});
