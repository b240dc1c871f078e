/** The queue's promises, whatever happens in whatever order, and between any two steps on the memory. */
import t from 'tap';
import { fc } from '../../../harness/properties.ts';
import { QueueModel, WORKERS, type Command } from './queue-model.ts';

const worker = fc.nat(WORKERS - 1);
const which = fc.nat(3);
const usual: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('arrive'), worker, failures: fc.constantFrom(0, 0, 0, 1, 2) }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('release'), worker, which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave'), worker, which }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('hear'), worker }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('control') }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('tick'), worker, ms: fc.nat(60) }) },
);
const withDeaths: fc.Arbitrary<Command> = fc.oneof(
  { weight: 10, arbitrary: usual },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('die', 'dieInside', 'setAside'), worker }) },
);
/** Tickets shortly before they turn negative, and before they pass 0. */
const firstTicket = fc.constantFrom(0, 0x7fff_fffb, -5);

for (const [title, command] of [
  ['limits, order and wake-ups hold', usual],
  ['they hold when workers die or stand still', withDeaths],
] as const) {
  await t.test(title, async t => {
    let served = 0;
    fc.assert(
      fc.property(
        fc.record({
          limit: fc.integer({ min: 1, max: 3 }),
          maxWaiting: fc.integer({ min: 0, max: 6 }),
          firstTicket,
        }),
        fc.array(command, { minLength: 20, maxLength: 100, size: 'max' }),
        fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 12 }),
        ({ limit, maxWaiting, firstTicket: first }, commands, quanta) => {
          const model = new QueueModel(limit, maxWaiting, first);
          model.run(commands, quanta);
          served += model.served;
        },
      ),
      { numRuns: 1_500 },
    );
    t.ok(served > 1_500, `${served} sessions had their turn`);
  });
}
