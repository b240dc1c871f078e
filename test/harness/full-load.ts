/** `npm test` is to be quick; LB4_TEST_LOAD=full, as .ci/run has it, takes its time: more of everything, and more tests. */
export const FULL = process.env['LB4_TEST_LOAD'] === 'full';

/** Clients of each combination in a test that has many of them: LB4_TEST_CLIENTS, or what fits into half a minute. */
export const CLIENTS_EACH = FULL ? Number(process.env['LB4_TEST_CLIENTS'] ?? 250) : 30;

/** For a test's `skip`: false, or why not. */
export const skipUnlessFull = (): string | false =>
  FULL ? false : 'takes half a minute: LB4_TEST_LOAD=full runs it';
