/** Every combination for small upstreams against an oracle that is written from the other end, and what must always hold. */
import t from 'tap';
import {
  judge,
  stricter,
  type BackendConditions,
  type EligibilityRules,
  type Judgement,
} from '../../../../src/control/upstream/eligibility.ts';
import { WELL } from '../../../harness/backend-conditions.ts';
import { fc } from '../../../harness/properties.ts';

const RULES: EligibilityRules = { panicBelow: 50, backups: { which: 'all' } };

/** `mode well/of` and a word per backend: what it is, `+` if it gets sessions, `?` if one may try it, `*` in reserve. */
function outcome({ mode, well, of, backends }: Judgement): string {
  const words = backends.map(
    ({ state, takesSessions, trial, reserve }) =>
      `${state}${takesSessions ? '+' : ''}${trial ? '?' : ''}${reserve ? '*' : ''}`,
  );
  return [`${mode} ${well}/${of}`, ...words].join(' ');
}

const table = (
  rows: readonly (readonly [string, readonly Partial<BackendConditions>[], string])[],
  rules: Partial<EligibilityRules> = {},
) =>
  rows.map(([title, conditions, expected]) => ({
    title,
    expected,
    got: outcome(
      judge(
        conditions.map(each => ({ ...WELL, ...each })),
        { ...RULES, ...rules },
      ),
    ),
  }));

const down = { healthy: false };
const agentDown = { agentUp: false };
const ejected = { ejection: 'ejected' } as const;
const trial = { ejection: 'trial' } as const;
const drain = { operator: 'drain' } as const;
const maint = { operator: 'maint' } as const;
const backup = { backup: true };

void t.test('one backend by itself is what its conditions say, the operator first', async t => {
  for (const { title, got, expected } of table([
    ['well', [{}], 'normal 1/1 up+'],
    ['in maint, whatever else', [{ ...maint, ...down, ...ejected, resolved: false }], 'down 0/0 maint'],
    ['drained', [drain], 'down 0/0 drain'],
    ['weight 0 is like drained', [{ weight: 0 }], 'down 0/0 drain'],
    ['a name without an address cannot even be tried in panic', [{ resolved: false }], 'down 0/0 unresolved'],
    ['not checked yet, it is not tried in panic', [{ settled: false }], 'down 0/0 down'],
    ['down is tried all the same: nobody else is there', [down], 'panic 0/1 down+'],
    ['so is one whose agent says down', [agentDown], 'panic 0/1 down+'],
    ['and an ejected one', [ejected], 'panic 0/1 ejected+'],
    ['in panic there is no trial: all may try', [trial], 'panic 0/1 trial+'],
    ['a backup alone stands in', [backup], 'backups 1/1 up+'],
    ['and panics alone', [{ ...backup, ...down }], 'panic 0/1 down+'],
  ]))
    t.equal(got, expected, title);
});

void t.test('several: populations, panic at less than the share, backups, trials', async t => {
  for (const { title, got, expected } of table([
    ['half is enough', [{}, down], 'normal 1/2 up+ down'],
    ['less than half is not', [{}, down, ejected], 'panic 1/3 up+ down+ ejected+'],
    [
      'whoever is drained or in maint does not count',
      [{}, down, maint, drain, { weight: 0 }],
      'normal 1/2 up+ down maint drain drain',
    ],
    ['nor one that waits for its first check', [{}, down, { settled: false }], 'normal 1/2 up+ down down'],
    ['one on trial is not well, and is tried', [{}, trial], 'normal 1/2 up+ trial?'],
    ['not while it is down', [{}, { ...trial, ...down }], 'normal 1/2 up+ down'],
    ['a backup is not needed', [{}, down, backup], 'normal 1/2 up+ down standby*'],
    ['nor in panic', [{}, down, down, backup], 'panic 1/3 up+ down+ down+ standby*'],
    ['with no primary well it is its turn', [down, trial, backup, backup], 'backups 0/2 down trial? up+ up+'],
    [
      'the backup that is not well is not',
      [down, backup, { ...backup, ...down }],
      'backups 0/1 down up+ down',
    ],
    [
      'beside primaries a backup is tried by a session that has failed at all of them',
      [{}, { ...backup, ...trial }],
      'normal 1/1 up+ trial?*',
    ],
    [
      'in panic there is no trial, and a backup is in reserve however it is',
      [{}, down, down, { ...backup, ...trial }],
      'panic 1/3 up+ down+ down+ trial*',
    ],
    [
      'unless another one is well',
      [{}, down, down, { ...backup, ...down }, backup],
      'panic 1/3 up+ down+ down+ down standby*',
    ],
    ['but when backups are needed', [down, backup, { ...backup, ...trial }], 'backups 0/1 down up+ trial?'],
    [
      'none is well: all primaries, then the backups',
      [down, { ...backup, ...down }],
      'panic 0/1 down+ down*',
    ],
    [
      'no primary may be used: the backups panic',
      [maint, { ...backup, ...down }, { ...backup, ...drain }],
      'panic 0/1 maint down+ drain',
    ],
    ['nobody may be used', [maint, { ...backup, ...drain }], 'down 0/0 maint drain'],
    ['nobody is there', [], 'down 0/0'],
  ]))
    t.equal(got, expected, title);
  for (const { title, got, expected } of table(
    [
      ['only the first backup', [down, backup, backup], 'backups 0/1 down up+ standby*'],
      ['that is well', [down, { ...backup, ...down }, backup, backup], 'backups 0/1 down down up+ standby*'],
    ],
    { backups: { which: 'first' } },
  ))
    t.equal(got, expected, title);
  for (const { title, got, expected } of table(
    [
      ['one that is well is enough', [{}, down, down, down], 'normal 1/4 up+ down down down'],
      ['with none well all are tried', [down, trial], 'panic 0/2 down+ trial+'],
      ['a backup that is well comes before that', [down, backup], 'backups 0/1 down up+'],
      ['one that may get none is no reason to panic', [drain], 'down 0/0 drain'],
    ],
    { panicBelow: 0 },
  ))
    t.equal(got, expected, title);
  for (const { title, got, expected } of table(
    [
      ['one that is well is enough', [{}, down, down, down], 'normal 1/4 up+ down down down'],
      ['and none is none, but for a trial', [down, trial], 'down 0/2 down trial?'],
      ['a backup on trial, too', [down, { ...backup, ...trial }], 'down 0/1 down trial?'],
    ],
    { panicBelow: 'off' },
  ))
    t.equal(got, expected, title);
  const [all] = table([['', [{}, {}, {}, down], '']], { panicBelow: 100 });
  t.equal(all?.got, 'panic 3/4 up+ up+ up+ down+', 'with 100 one that is down is a panic');
});

/** All conditions that differ in effect, and one of each that does not. */
const KINDS: readonly BackendConditions[] = [true, false].flatMap(isBackup =>
  [
    {},
    { healthy: false },
    { agentUp: false },
    { resolved: false },
    { settled: false },
    { weight: 0 },
    { ejection: 'ejected' as const },
    { ejection: 'trial' as const },
    { healthy: false, ejection: 'trial' as const },
    { operator: 'drain' as const },
    { operator: 'maint' as const },
    { operator: 'maint' as const, healthy: false, ejection: 'ejected' as const },
  ].map(each => ({ ...WELL, backup: isBackup, ...each })),
);

const isFine = (b: BackendConditions): boolean =>
  b.resolved &&
  b.settled &&
  b.operator === 'ready' &&
  b.weight > 0 &&
  b.healthy &&
  b.agentUp &&
  b.ejection === 'none';

/** The rules once more, as sets instead of counts. */
function oracle(all: readonly BackendConditions[], { panicBelow, backups }: EligibilityRules) {
  const usable = all.filter(b => b.resolved && b.settled && b.operator === 'ready' && b.weight > 0);
  const sound = usable.filter(b => b.healthy && b.agentUp);
  const fine = sound.filter(b => b.ejection === 'none');
  const [P, H, PB, HB] = [
    usable.filter(b => !b.backup),
    fine.filter(b => !b.backup),
    usable.filter(b => b.backup),
    fine.filter(b => b.backup),
  ];
  const trials = sound.filter(b => b.ejection === 'trial');
  if (H.length === 0 && HB.length > 0) {
    const takers = backups.which === 'all' ? HB : HB.slice(0, 1);
    return { mode: 'backups', takers, trials, reserve: HB.filter(b => !takers.includes(b)) };
  }
  const [population, wellOnes] = P.length > 0 ? [P, H] : [PB, HB];
  const share = wellOnes.length / population.length;
  const isTooFew = panicBelow !== 'off' && population.length > 0 && (share === 0 || share < panicBelow / 100);
  if (isTooFew) {
    const reserve = (HB.length > 0 ? HB : PB).filter(b => !population.includes(b));
    return { mode: 'panic', takers: population, trials: [], reserve };
  }
  if (H.length === 0) return { mode: 'down', takers: [], trials, reserve: [] };
  return { mode: 'normal', takers: H, trials, reserve: [...HB, ...trials.filter(b => b.backup)] };
}

void t.test(
  'every upstream of up to three backends, under every rule, is judged as the oracle does',
  async t => {
    const upstreams: (readonly BackendConditions[])[] = [[]];
    for (const a of KINDS) {
      upstreams.push([a]);
      for (const b of KINDS) {
        upstreams.push([a, b]);
        for (const c of KINDS) upstreams.push([a, b, c]);
      }
    }
    const wrong: unknown[] = [];
    let judged = 0;
    for (const backups of [{ which: 'all' }, { which: 'first' }] as const) {
      for (const panicBelow of [0, 34, 50, 51, 100, 'off'] as const) {
        for (const kinds of upstreams) {
          // Each its own object: the oracle tells them apart by identity.
          const all = kinds.map(each => ({ ...each }));
          const expected = oracle(all, { panicBelow, backups });
          const got = judge(all, { panicBelow, backups });
          judged += 1;
          const isRight =
            got.mode === expected.mode &&
            all.every((each, i) => {
              const { takesSessions, trial: isTried, reserve, well } = got.backends[i] ?? {};
              return (
                takesSessions === expected.takers.includes(each) &&
                isTried === expected.trials.includes(each) &&
                reserve === expected.reserve.includes(each) &&
                well === isFine(each)
              );
            });
          if (!isRight) wrong.push({ all, panicBelow, backups, expected, got });
        }
      }
    }
    t.equal(judged, 12 * (1 + 24 + 24 ** 2 + 24 ** 3));
    t.same(wrong.slice(0, 1), []);
  },
);

const conditions = fc.record({
  resolved: fc.boolean(),
  settled: fc.boolean(),
  healthy: fc.boolean(),
  agentUp: fc.boolean(),
  operator: fc.constantFrom('ready', 'drain', 'maint'),
  ejection: fc.constantFrom('none', 'ejected', 'trial'),
  backup: fc.boolean(),
  weight: fc.integer({ min: 0, max: 2 }),
} as const);
const rules = fc.record({
  panicBelow: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.constant('off' as const)),
  backups: fc.record({ which: fc.constantFrom('all', 'first') } as const),
} as const);

void t.test('what always holds, whatever the upstream', async () => {
  fc.assert(
    fc.property(fc.array(conditions, { maxLength: 12 }), rules, (all, { panicBelow, backups }) => {
      const { mode, well, of, backends } = judge(all, { panicBelow, backups });
      const with_ = (index: number): BackendConditions => all[index] ?? WELL;
      const takers = all.filter((_, i) => backends[i]?.takesSessions);
      backends.forEach((each, i) => {
        const { operator, weight, resolved, settled, ejection, backup: isBackup } = with_(i);
        const isOut = operator !== 'ready' || weight === 0 || !resolved || !settled;
        if (isOut && (each.takesSessions || each.trial || each.reserve))
          throw new Error('one that is out gets sessions');
        if (each.takesSessions && (each.trial || each.reserve))
          throw new Error('one that gets sessions needs no trial and stands by for nobody');
        if (each.reserve && !isBackup) throw new Error('a primary stands by');
        if (each.trial && ejection !== 'trial') throw new Error('a trial out of turn');
        if (ejection === 'ejected' && mode !== 'panic' && each.takesSessions)
          throw new Error('ejected in vain');
        if (each.state === 'standby' && (!isBackup || each.takesSessions)) throw new Error('no standby');
      });
      if (new Set(takers.map(({ backup: isBackup }) => isBackup)).size > 1)
        throw new Error('tiers are mixed');
      if ((takers.length === 0) !== (mode === 'down')) throw new Error('down is when nobody gets sessions');
      if (panicBelow !== 'off' && of > 0 && mode === 'down') throw new Error('somebody could be tried');
      if (panicBelow === 'off' && mode === 'panic') throw new Error('panic although it is off');
      if (panicBelow === 0 && well > 0 && takers.some(each => !isFine(each)))
        throw new Error('one that is not well gets sessions beside one that is');
      if (all.some(isFine) && !backends.some((each, i) => isFine(with_(i)) && each.takesSessions))
        throw new Error('one is well, and none that is well gets sessions');
      const least = panicBelow === 'off' ? 0 : panicBelow;
      if (well > of || (mode === 'normal' && 100 * well < least * of)) throw new Error('miscounted');
      if (mode === 'backups' && backups.which === 'first' && takers.length !== 1)
        throw new Error('more than the first');
    }),
    { numRuns: 3_000 },
  );
});

void t.test('of the operator and the agent the stricter one counts', async t => {
  t.equal(stricter('ready', 'drain'), 'drain');
  t.equal(stricter('maint', 'drain'), 'maint');
  t.equal(stricter('ready', 'ready'), 'ready');
});
