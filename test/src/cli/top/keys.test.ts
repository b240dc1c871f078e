import t from 'tap';
import { backendView } from '../../../harness/fake-balancer.ts';
import { KeyReader, type Key } from '../../../../src/cli/top/keys.ts';
import {
  afterKey,
  FIRST_VIEW,
  shownBackends,
  SORTS,
  type ViewState,
} from '../../../../src/cli/top/view-state.ts';

const read = (...pieces: string[]): Key[] => {
  const reader = new KeyReader();
  return pieces.flatMap(piece => reader.read(piece));
};

void t.test('keys are read in any of their forms, also in pieces', async t => {
  t.same(read('q\u001b[A\u001bOB'), [{ text: 'q' }, { name: 'up' }, { name: 'down' }]);
  t.same(
    read('\u001b', '[5~'),
    [{ name: 'escape' }, { text: '[' }, { text: '5' }, { text: '~' }],
    'Esc is a key',
  );
  t.same(read('\u001b[', '5', '~'), [{ name: 'pageUp' }]);
  t.same(read('\u001b[H\u001b[4~'), [{ name: 'home' }, { name: 'end' }]);
  t.same(read('\u0003\u001c\u001a\u000c\r\u007f'), [
    ...[
      { name: 'interrupt' },
      { name: 'quit' },
      { name: 'suspend' },
      { name: 'redraw' },
      { name: 'enter' },
      { name: 'backspace' },
    ],
  ]);
});

void t.test('what is no key is dropped: unknown sequences, other control characters', async t => {
  t.same(read('\u001b[?62;22cq\u001b[200~\u0001\u009bx'), [{ text: 'q' }, { text: 'x' }]);
  t.ok(read('\u001b[', '1'.repeat(100)).length > 0, 'an endless sequence is not kept for ever');
});

const bounds = { page: 5, most: 12 };
const press = (keys: readonly Key[], from: ViewState = FIRST_VIEW): ViewState =>
  keys.reduce((view, key) => afterKey(view, key, bounds), from);

void t.test('the list scrolls within its bounds', async t => {
  t.equal(press([{ name: 'up' }]).scroll, 0);
  t.equal(press([{ name: 'down' }, { text: 'j' }, { text: 'k' }]).scroll, 1);
  t.equal(press([{ name: 'pageDown' }, { text: ' ' }, { name: 'pageDown' }]).scroll, 12);
  t.equal(press([{ name: 'end' }, { name: 'pageUp' }]).scroll, 7);
  t.equal(press([{ name: 'end' }, { name: 'home' }]).scroll, 0);
  t.equal(
    afterKey({ ...FIRST_VIEW, scroll: 40 }, { name: 'up' }, bounds).scroll,
    11,
    'a list that got shorter',
  );
});

void t.test('Ctrl-\\ changes nothing, also while a filter is typed', async t => {
  t.same(press(read('\u001c')), FIRST_VIEW);
  const typing = press([{ text: '/' }, { text: '9' }]);
  t.same(press(read('\u001c'), typing), typing);
});

void t.test('a filter is typed, kept and cleared; q is a letter of it', async t => {
  const typing = press([{ text: '/' }, { text: 'q' }, { text: '9' }, { name: 'backspace' }]);
  t.match(typing, { isTyping: true, filter: 'q' });
  t.match(press([{ name: 'enter' }], typing), { isTyping: false, filter: 'q' });
  t.match(press([{ name: 'escape' }], typing), { isTyping: false, filter: '' });
  t.match(press([{ name: 'enter' }, { name: 'escape' }], typing), { filter: '' });
  t.ok(press([{ text: '/' }, ...new Array<Key>(200).fill({ text: 'x' })]).filter.length < 100);
});

void t.test('s goes through the orders', async t => {
  const backends = [
    backendView('10.0.0.10:80', { sessions: 1 }),
    backendView('10.0.0.9:80', { sessions: 7, state: 'drain' }),
    backendView('10.0.0.1:80', { sessions: 3, state: 'down' }),
  ];
  const rates = new Map([
    ['10.0.0.1:80', 9],
    ['10.0.0.9:80', 1],
  ]);
  const shown = (view: Partial<ViewState>) =>
    shownBackends('app', backends, { ...FIRST_VIEW, ...view }, ({ backend }) => rates.get(backend) ?? 0).map(
      ({ backend }) => backend.replace('10.0.0.', '').replace(':80', ''),
    );
  t.same(
    SORTS.map(sort => shown({ sort }).join(' ')),
    ['10 9 1', '1 9 10', '9 1 10', '1 9 10', '1 9 10'],
  );
  t.equal(press([{ text: 's' }, { text: 's' }]).sort, SORTS[2]);
  t.equal(press(SORTS.map(() => ({ text: 's' }))).sort, SORTS[0]);
  t.same(shown({ filter: 'DOWN' }), ['1']);
  t.same(shown({ filter: '.10:' }), ['10']);
  t.same(shown({ filter: 'ap' }), ['10', '9', '1'], 'the whole upstream');
});
