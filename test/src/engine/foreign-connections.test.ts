/** An engine relays what it has made: anything else is a defect of its caller, and is named at once. */
import t from 'tap';
import { loadLibc } from '../../../src/linux/libc.ts';
import { createNodeEngine } from '../../../src/engine/node/node-engine.ts';
import { newEpollEngine } from '../../harness/epoll-engine.ts';
import { FakeConnection } from '../../harness/fake-engine.ts';

const engines = {
  node: () => createNodeEngine({ clock: { nowMs: 0 } }),
  ...(loadLibc().ok ? { epoll: () => newEpollEngine() } : {}),
};
for (const [name, createEngine] of Object.entries(engines)) {
  void t.test(`the ${name} engine refuses connections of another engine`, async t => {
    const engine = createEngine();
    t.throws(
      () =>
        engine.relay(new FakeConnection(), new FakeConnection(), {
          onHalfClosed: () => undefined,
          onEnd: () => undefined,
        }),
      {
        code: 'LB4_WRONG_STATE',
        message: `the ${name} engine knows only connections that it has made itself`,
      },
    );
    if ('close' in engine) engine.close();
  });
}
