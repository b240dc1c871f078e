import t from 'tap';
import type { SourceConfig } from '../../../../src/config/schema/discovery-schema.ts';
import type { BackendConfig } from '../../../../src/config/schema/schema.ts';
import { parseBackend } from '../../../../src/config/source/parse.ts';
import { Discovery } from '../../../../src/control/discovery/discovery.ts';
import type { SourceReports } from '../../../../src/control/discovery/source.ts';
import { Events } from '../../../../src/model/events.ts';
import { FakeClock } from '../../../harness/fake-clock.ts';

const backend = (text: string): BackendConfig => {
  const parsed = parseBackend(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.backend;
};
const list = (...texts: string[]): BackendConfig[] => texts.map(backend);
const config = (path: string): SourceConfig => ({ type: 'file', path });

function create(configured: readonly BackendConfig[] = []) {
  const clock = new FakeClock(1_000);
  const events = new Events();
  const reported: string[] = [];
  events.on('source:failed', ({ source, reason, kept }) =>
    reported.push(`${source} failed: ${reason}, ${kept} kept`),
  );
  events.on('source:recovered', ({ source, forMs }) => reported.push(`${source} recovered after ${forMs}`));
  const running = new Map<string, SourceReports>();
  const lists: string[] = [];
  const discovery: Discovery = new Discovery({
    ...{ upstream: 'app', events, setTimer: clock.setTimer, now: clock.now },
    create: source => {
      const path = source.type === 'file' ? source.path : '';
      return { start: reports => running.set(path, reports), stop: () => running.delete(path) };
    },
    onChange: () => lists.push(ids()),
  });
  const ids = (): string =>
    discovery
      .with(configured)
      .map(({ id, weight }) => `${id}@${weight}`)
      .join(' ');
  /** Of a source that runs. */
  const reports = (path: string): SourceReports => {
    const found = running.get(path);
    if (found === undefined) throw new Error(`${path} does not run`);
    return found;
  };
  return { clock, discovery, ids, lists, reported, reports, running };
}

void t.test('a backend stays while anything names it, and the first one decides its settings', t => {
  const { discovery, ids, reports } = create(list('10.0.0.1:80@9'));
  discovery.configure([config('a'), config('b')]);
  void discovery.start();
  reports('a').found(list('10.0.0.1:80@1', '10.0.0.2:80@2'));
  reports('b').found(list('10.0.0.2:80@3', '10.0.0.3:80@3'));
  t.equal(ids(), '10.0.0.1:80@9 10.0.0.2:80@2 10.0.0.3:80@3');
  reports('a').found([]);
  t.equal(ids(), '10.0.0.1:80@9 10.0.0.2:80@3 10.0.0.3:80@3');
  t.same(Object.fromEntries(discovery.sourcesOf()), { '10.0.0.2:80': ['file b'], '10.0.0.3:80': ['file b'] });
  t.end();
});

void t.test('a source that fails keeps what it named last, and its outage is one report', t => {
  const { clock, discovery, ids, reported, reports } = create();
  discovery.configure([config('a')]);
  void discovery.start();
  reports('a').found(list('10.0.0.1:80'));
  for (let i = 0; i < 300; i++) {
    reports('a').failed('ENOENT');
    clock.advance(1_000);
  }
  t.equal(ids(), '10.0.0.1:80@1');
  t.match(discovery.status(), [
    {
      source: 'file a',
      state: 'failing',
      backends: 1,
      why: 'ENOENT',
      failingForMs: 300_000,
      answeredAgoMs: 300_000,
    },
  ]);
  reports('a').failed('line 1: not YAML');
  reports('a').found(list('10.0.0.1:80'));
  t.same(reported, [
    'file a failed: ENOENT, 1 kept',
    'file a failed: line 1: not YAML, 1 kept',
    'file a recovered after 300000',
  ]);
  t.match(discovery.status(), [{ state: 'answering' }]);
  t.end();
});

void t.test('the start waits for the first report of each source, good or bad', async t => {
  const { discovery, reports } = create();
  discovery.configure([config('a'), config('b')]);
  let isOver = false;
  const started = discovery.start().then(() => (isOver = true));
  t.match(discovery.status(), [{ state: 'waiting' }, { state: 'waiting' }]);
  reports('a').found([]);
  await Promise.resolve();
  t.notOk(isOver);
  reports('b').failed('ENOENT');
  await started;
});

void t.test('a reload keeps sources that stay as they are, ends others, and begins new ones', t => {
  const { discovery, ids, reports, running } = create();
  discovery.configure([config('a'), config('b')]);
  void discovery.start();
  reports('a').found(list('10.0.0.1:80'));
  reports('b').found(list('10.0.0.2:80'));
  const gone = reports('b');
  discovery.configure([config('c'), config('a')]);
  t.equal(ids(), '10.0.0.1:80@1');
  t.same([...running.keys()].sort(), ['a', 'c']);
  gone.found(list('10.0.0.9:80'));
  gone.failed('late');
  t.equal(ids(), '10.0.0.1:80@1', 'a source that has ended is not listened to');
  reports('c').found(list('10.0.0.3:80'));
  t.equal(ids(), '10.0.0.3:80@1 10.0.0.1:80@1');
  discovery.stop();
  t.same([...running.keys()], []);
  t.end();
});

void t.test('a backend that flaps is held, and goes by itself when its time is over', t => {
  const { clock, discovery, ids, lists, reports } = create();
  discovery.configure([config('a')]);
  void discovery.start();
  const both = list('10.0.0.1:80', '10.0.0.2:80');
  const one = list('10.0.0.1:80');
  for (const answer of [both, one, both, one]) reports('a').found(answer);
  t.equal(ids(), '10.0.0.1:80@1 10.0.0.2:80@1');
  t.match(discovery.status(), [{ backends: 2, held: 1 }]);
  clock.advance(2_000);
  t.equal(lists.at(-1), '10.0.0.1:80@1');
  t.equal(clock.pending, 0);
  t.end();
});

void t.test('without sources the list is the one of the configuration itself', t => {
  const configured = list('10.0.0.1:80');
  const { discovery } = create(configured);
  t.equal(discovery.with(configured), configured);
  t.same(discovery.status(), []);
  t.end();
});
