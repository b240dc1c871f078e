/**
 * Which engine and how many workers the tests of whole balancers run over: LB4_TEST_ENGINE (`node`, `epoll`;
 * default auto) and LB4_TEST_WORKERS (default auto), so that the same suite can be run over all of them.
 */
import type { ConfigInput } from '../../src/config/schema/schema.ts';

const { LB4_TEST_ENGINE: engine, LB4_TEST_WORKERS: workers } = process.env;

/** To be spread over a configuration. */
export const DATA_PLANE: Pick<ConfigInput, 'engine' | 'workers'> = {
  ...(engine === 'node' || engine === 'epoll' ? { engine } : {}),
  ...(workers === undefined || workers === '' || workers === 'auto' ? {} : { workers: Number(workers) }),
};

/** The same in one thread, for what is only true of one, such as the order of clients. */
export const ONE_THREAD: typeof DATA_PLANE = { ...DATA_PLANE, workers: DATA_PLANE.workers === 0 ? 0 : 1 };

/** The thread of the balancer itself: the `node` engine's, so a run over one engine does not play it again. */
export const OWN_THREAD: { readonly 'own thread'?: typeof DATA_PLANE } =
  DATA_PLANE.engine === undefined ? { 'own thread': { engine: 'node', workers: 0 } } : {};

/** The same for a process's environment. */
export const DATA_PLANE_ENV: NodeJS.ProcessEnv = {
  ...(DATA_PLANE.engine === undefined ? {} : { LB4_ENGINE: DATA_PLANE.engine }),
  ...(DATA_PLANE.workers === undefined ? {} : { LB4_WORKERS: String(DATA_PLANE.workers) }),
};
