/** While one backend is well and has room, no session is refused, whatever has failed before. */
import t from 'tap';
import type { BackendPlan } from '../../../../src/model/upstream-plan.ts';
import { STRATEGY_NAMES, type StrategyName } from '../../../../strategies/index.ts';
import { relayEnd } from '../../../harness/dispatch-deps.ts';
import { fc } from '../../../harness/properties.ts';
import { BACKUP, DOWN, id, NO_BUDGET, openSessions as setUp } from './open-sessions.ts';

const [A, B, C, D] = [id(1), id(2), id(3), id(4)];

void t.test(
  'in panic a session that has failed goes to one that is well, without asking the budget',
  async t => {
    const { open, fails, tried } = setUp(
      { [A]: DOWN, [B]: DOWN, [C]: {}, [D]: DOWN },
      { connect: NO_BUDGET },
    );
    fails(A, B, D);
    t.same(open().log, [`connected ${C}`]);
    t.same(tried(), [A, C]);
  },
);

void t.test('also when `attempts` is used up by one that is not well', async t => {
  const { open, fails } = setUp({ [A]: DOWN, [B]: DOWN, [C]: {} }, { connect: NO_BUDGET, attempts: 1 });
  fails(A, B);
  t.same(open().log, [`connected ${C}`]);
});

void t.test('one that is not well is not tried over and over while another one is', async t => {
  const { open, fails, tried, timers } = setUp({ [A]: DOWN, [B]: {} }, { connect: { retriesPerBackend: 5 } });
  fails(A);
  t.same(open().log, [`connected ${B}`]);
  t.same([tried(), timers.pending], [[A, B], 0]);
});

void t.test(
  'while the one that is well is full, a session waits for it rather than being refused',
  async t => {
    const { open, fails, timers, tried } = setUp(
      { [A]: DOWN, [B]: { ...DOWN }, [C]: { maxSessions: 1 } },
      { connect: NO_BUDGET, queue: { max: 10 } },
    );
    fails(A, B);
    const first = open();
    t.same(first.log, [`connected ${C}`]);
    const second = open();
    t.same([second.log, tried().slice(2)], [['waits'], [A, B]], 'and has tried what else there is');
    first.dispatch.release(relayEnd(false));
    timers.fireNext();
    t.same(second.log, ['waits', 'goes on', `connected ${C}`]);
  },
);

void t.test(
  'before checks know of nine that are down, no session ends without having tried the tenth',
  async t => {
    const all = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [id(i + 1), {}]));
    const { open, fails, tried, failures } = setUp(all);
    fails(...Object.keys(all).slice(0, 9));
    t.same(open().log, [`connected ${id(10)}`]);
    t.equal(tried().length, 10);
    t.same(open().log, [`connected ${id(10)}`]);
    t.equal(tried().length, 12, 'the next one goes by what the first one has seen');
    t.same(failures, []);
  },
);

void t.test('a configured `attempts` is kept, and spent on those that have not failed', async t => {
  const all = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [id(i + 1), {}]));
  const { open, fails, tried } = setUp(all, { attempts: 2 });
  fails(A, B, C, D);
  t.same(open().log, ['refused']);
  t.same(tried().splice(0), [A, B]);
  t.same(open().log, ['refused']);
  t.same(tried().slice(2), [A, C]);
  open();
  t.same(open().log, [`connected ${id(5)}`]);
});

void t.test('in panic, when all fail, the first session finds out and the others try three', async t => {
  const all = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [id(i + 1), DOWN]));
  const { open, fails, tried } = setUp(all);
  fails(...Object.keys(all));
  t.same(open().log, ['refused']);
  t.equal(tried().length, 10, 'the first one finds out');
  t.same(open().log, ['refused']);
  t.equal(tried().length, 13);
});

void t.test('a backup is tried in the session whose failure shows that it is needed', async t => {
  for (const attempts of [undefined, 1]) {
    const { open, fails, tried } = setUp(
      { [A]: {}, [B]: BACKUP },
      { connect: NO_BUDGET, ...(attempts && { attempts }) },
    );
    fails(A);
    t.same(open().log, [`connected ${B}`]);
    t.same(tried(), [A, B]);
  }
});

void t.test('not before all others that are well, nor beside one that is only full', async t => {
  const { open, fails, tried, live } = setUp(
    { [A]: {}, [B]: { maxSessions: 1 }, [C]: BACKUP },
    { queue: { max: 10 } },
  );
  fails(A);
  t.same(open().log, [`connected ${B}`]);
  t.same(open().log, ['waits']);
  t.same([tried(), live(C)], [[A, B, A], 0]);
});

void t.test(
  'with `whenFull` idle backups take what others have no room for, before sessions wait',
  async t => {
    const one = { maxSessions: 1 };
    const { open, fails, live } = setUp(
      { [A]: one, [B]: { ...BACKUP, ...one }, [C]: { ...BACKUP, ...one } },
      { queue: { max: 10 }, backups: { when: 'full' } },
    );
    fails();
    const first = open();
    t.same([first.log, open().log, open().log], [[`connected ${A}`], [`connected ${B}`], [`connected ${C}`]]);
    const waiting = open();
    t.same([waiting.log, live(B), live(C)], [['waits'], 1, 1]);
    first.dispatch.release(relayEnd(false));
    t.same(waiting.log, ['waits', 'goes on', `connected ${A}`]);
  },
);

void t.test('a session that waits takes the place that a backup frees', async t => {
  const one = { maxSessions: 1 };
  const { open, fails } = setUp(
    { [A]: one, [B]: { ...BACKUP, ...one } },
    { queue: { max: 10 }, backups: { when: 'full' } },
  );
  fails();
  open();
  const onBackup = open();
  const waiting = open();
  onBackup.dispatch.release(relayEnd(false));
  t.same(waiting.log, ['waits', 'goes on', `connected ${B}`]);
});

void t.test(
  'with `first` the backups come in their order, and the next one only after a failure',
  async t => {
    const specs = { [A]: { maxSessions: 1 }, [B]: { ...BACKUP, maxSessions: 1 }, [C]: BACKUP };
    const backups = { when: 'full', which: 'first' } as const;
    const { open, fails } = setUp(specs, { backups, queue: { max: 10 }, strategy: 'random' });
    fails();
    t.same([open().log, open().log], [[`connected ${A}`], [`connected ${B}`]]);
    t.same(open().log, ['waits'], 'the first one is well, and full');
    const other = setUp({ ...specs, [B]: BACKUP }, { backups, strategy: 'random' });
    other.fails(B);
    other.open();
    t.same(other.open().log, [`connected ${C}`]);
  },
);

void t.test('only one session tries a backup that is on trial', async t => {
  const { open, fails, shared, tried } = setUp({
    [A]: {},
    [B]: { ...BACKUP, well: false, trial: true },
  });
  fails(A);
  t.same(open().log, ['refused'], 'nothing is on offer');
  shared.failures.offerTrial(shared.slotOfBackend('app', B).index);
  t.same(open().log, [`connected ${B}`]);
  t.same(tried(), [A, A, B]);
});

void t.test('a client that had to take a backup is not remembered as that one’s', async t => {
  const { open, fails, tried } = setUp({ [A]: {}, [B]: BACKUP }, { sticky: 10 });
  fails(A);
  open();
  fails();
  open();
  open();
  t.same(tried(), [A, B, A, A]);
});

interface Spec {
  readonly snapshot: Partial<BackendPlan>;
  readonly answers: boolean;
  readonly failing: boolean;
  readonly held: number;
}

const specs = fc.array(
  fc.record<Spec>({
    snapshot: fc.oneof(
      fc.record({
        well: fc.boolean(),
        maxSessions: fc.option(fc.integer({ min: 1, max: 2 }), { nil: undefined }),
      }),
      fc.record({ well: fc.boolean(), eligible: fc.constant(false), reserve: fc.constant(true) }),
      fc.constant({ well: false, eligible: false }),
    ),
    answers: fc.boolean(),
    failing: fc.boolean(),
    held: fc.nat(2),
  }),
  { minLength: 1, maxLength: 8 },
);

void t.test('whatever the others do, one that is well, answers and has room serves', async () => {
  fc.assert(
    fc.property(
      specs,
      fc.constantFrom<StrategyName>(...STRATEGY_NAMES),
      fc.boolean(),
      (all, strategy, isTight) => {
        const named = all.map((spec, i) => ({ ...spec, name: id(i + 1) }));
        const { engine, open, counts, shared } = setUp(
          Object.fromEntries(named.map(({ name, snapshot }) => [name, snapshot])),
          { strategy, connect: isTight ? NO_BUDGET : {} },
        );
        for (const { name, failing, held } of named) {
          const slot = shared.slotOfBackend('app', name).index;
          if (failing) shared.failures.failed(slot, 'connect');
          for (let i = 0; i < held; i++) counts.take(slot, undefined);
        }
        engine.autoConnect = address =>
          named.some(each => each.name === address && each.answers) || 'refused';
        const isServing = ({ snapshot, answers, held }: Spec): boolean =>
          snapshot.well === true && answers && held < (snapshot.maxSessions ?? Infinity);
        const primaries = named.filter(({ snapshot: { eligible = true } }) => eligible);
        // A backup is not for what others that are well have no room for.
        const isFull = primaries.some(
          ({ snapshot: { well, maxSessions }, held }) => well && held >= (maxSessions ?? 3),
        );
        const reserve = named.filter(({ snapshot }) => snapshot.reserve);
        const expected = [...primaries, ...(isFull ? [] : reserve)].some(isServing);
        const { log } = open();
        return !expected || log.at(-1)?.startsWith('connected') === true;
      },
    ),
    { numRuns: 2_000 },
  );
});
