/**
 * For a test file that has nothing to gain from a second run over another engine: it plays each engine by itself, or
 * lb4 does there what no engine takes part in.
 *
 * Place: imported for its effect alone. scripts/verify.mjs leaves out of its runs over the `node` engine what imports
 * this file, and LB4_TEST_ENGINE, which outranks the configuration files that such a test writes, does not reach lb4.
 * test/scripts/verify.test.ts holds every file that names an engine to this import, or to DATA_PLANE.
 */
import { DATA_PLANE_ENV } from './data-plane.ts';

delete DATA_PLANE_ENV['LB4_ENGINE'];
