/** The warm pool's invariants, under arbitrary steps and under every order of a few promises. */
import t from 'tap';
import { fc } from '../harness/properties.ts';
import { settle } from './fake-backend.ts';
import { suspendedHarness } from './warm-harness.ts';
import { type Step, STEPS, WarmModel } from './warm-model.ts';

const stepAndChoice = fc.tuple(fc.constantFrom<Step[]>(...STEPS, 'acquire', 'succeed'), fc.nat(7));

await t.test('limit, spares and lending hold, whatever happens in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        limit: fc.integer({ min: 1, max: 4 }),
        warm: fc.integer({ min: 0, max: 3 }),
        maxWaiting: fc.integer({ min: 0, max: 3 }),
        reuse: fc.boolean(),
      }),
      fc.array(stepAndChoice, { maxLength: 60, size: 'max' }),
      async (options, steps) => {
        const warm = options.reuse ? options.warm : Math.max(1, options.warm);
        const model = new WarmModel({ ...options, warm });
        for (const [step, choice] of steps) await model.step(step, choice);
        await model.finish();
      },
    ),
    { numRuns: 500 },
  );
});

await t.test('they hold at every point between the promises of generic-pool', async () => {
  const actions: Step[] = ['suspend', 'acquire', 'cancel', 'release', 'acquireAndRelease', 'die'];
  const reusing: Step[] = ['releaseClean', 'acquireFresh'];
  for (const limit of [2, 3]) {
    for (let apart = 0; apart < 6; apart++) {
      for (let later = 0; later < 8; later++) {
        for (const action of [...actions, ...reusing]) {
          const model = new WarmModel({ limit, warm: 2, maxWaiting: 3, reuse: reusing.includes(action) });
          for (let n = 0; n < 3; n++) await model.step('acquire', 0);
          await model.step('succeed', 0);
          await model.step('microtask', apart);
          await model.step('succeed', 0);
          await model.step('microtask', later);
          await model.step(action, 0);
          await model.step('settle', 0);
          await model.finish();
        }
      }
    }
  }
});

await t.test(
  'a refill asked for, and taken back, at any such point opens nothing and costs no place',
  async t => {
    for (let microtasks = 0; microtasks < 12; microtasks++) {
      const { backend, pool, acquire } = await suspendedHarness({ limit: 3 });
      acquire();
      backend.only().succeed();
      for (let n = 0; n < microtasks; n++) await Promise.resolve();
      pool.resume();
      pool.suspend();
      await settle();
      t.strictSame(backend.opening, []);
      pool.resume();
      acquire();
      t.equal(backend.opening.length, 2, 'the refill, and the connect of the acquire');
    }
  },
);
