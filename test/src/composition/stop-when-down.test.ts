/** Which listeners stop, and when: the rules, without sockets. */
import t, { type Test } from 'tap';
import { parseConfig } from '../../../src/config/source/parse.ts';
import { StopWhenDown } from '../../../src/composition/stop-when-down.ts';
import { Events } from '../../../src/model/events.ts';
import { FakeTimers } from '../../harness/fake-timers.ts';

const configOf = (...listeners: [name: string, upstream: string, stopWhenDown?: boolean][]) => {
  const parsed = parseConfig({
    listeners: listeners.map(([name, upstream, stopWhenDown = true], i) => ({
      ...{ name, upstream, stopWhenDown, bind: `127.0.0.1:${i + 1}` },
    })),
    upstreams: ['app', 'other', 'third'].map(name => ({ name, backends: ['127.0.0.1:9'] })),
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.config;
};

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

/** `calls`: the listeners that are stopped, at each change; `taken`: those that cannot listen again. */
function create(_: Test, isHeld = false) {
  const events = new Events();
  const timers = new FakeTimers();
  const told: unknown[] = [];
  events.on('listener:stopped', event => told.push(['stopped', event.listener, event.kept]));
  events.on('listener:notBack', event => told.push(['notBack', event.listener, event.reason]));
  const calls: string[] = [];
  const taken = new Set<string>();
  const idle = { isServing: true };
  const life = { kept: 0 };
  const kept = new Map<string, string[]>();
  const stops = new StopWhenDown(isHeld, {
    ...{ events, setTimer: timers.setTimer },
    listen: async stopped => {
      await turn();
      for (const name of taken) if (!stopped.has(name)) throw new Error(`${name} is taken`);
      calls.push([...stopped].join(' '));
    },
    stayAlive: () => {
      life.kept += 1;
      return () => (life.kept -= 1);
    },
    addressesOf: listener => kept.get(listener) ?? [],
    whenIdle: async work => {
      await turn();
      if (idle.isServing) await work();
    },
  });
  const start = (config: ReturnType<typeof configOf>): string => {
    const stopped = stops.of(config);
    stops.took(config, stopped);
    return [...stopped].join(' ');
  };
  const settled = async (): Promise<string> => {
    for (let i = 0; i < 20; i++) await turn();
    return calls.splice(0).join(', ');
  };
  return { stops, start, settled, told, taken, timers, kept, idle, life };
}

void t.test('a listener stops with the last backend of its upstream, and listens with the first', async t => {
  const { stops, start, settled, told, life } = create(t);
  stops.follow('app', true);
  stops.follow('other', true);
  t.equal(start(configOf(['web', 'app'], ['plain', 'app', false], ['far', 'other'])), '');
  stops.follow('app', false);
  t.equal(await settled(), 'web');
  t.equal(life.kept, 1, 'the process lives on');
  stops.follow('app', undefined);
  t.equal(await settled(), '', 'it stays as it is while checks have yet to decide');
  stops.follow('app', true);
  t.equal(await settled(), '', 'nothing is stopped any more');
  t.same([...stops.stopped], []);
  t.equal(life.kept, 0);
  t.same(told, [['stopped', 'web', undefined]]);
});

void t.test('one that is new does not listen before it is known that there is a backend', async t => {
  const { stops, start, settled, told } = create(t);
  stops.follow('app', undefined);
  stops.follow('other', true);
  t.equal(start(configOf(['web', 'app'], ['far', 'other'])), 'web');
  t.same(told, [], 'which is no failure');
  stops.follow('app', false);
  stops.follow('app', false);
  t.same(told, [['stopped', 'web', undefined]]);
  t.equal(start(configOf(['web', 'other'], ['new', 'third'])), 'new');
  t.equal(start(configOf(['web', 'third'])), '', 'one that listens goes on');
  t.equal(await settled(), '');
});

void t.test('before a successor owns its sockets every listener listens', async t => {
  const { stops, start, settled } = create(t, true);
  stops.follow('app', undefined);
  stops.follow('other', false);
  t.equal(start(configOf(['web', 'app'], ['far', 'other'])), '');
  stops.release();
  t.equal(await settled(), 'far', 'what is not known yet stops none');
});

void t.test('one that cannot listen again is tried again, and keeps no other one from it', async t => {
  const { stops, start, settled, told, taken, timers } = create(t);
  stops.follow('app', false);
  t.equal(start(configOf(['web', 'app'], ['second', 'app'])), 'web second');
  taken.add('web');
  stops.follow('app', true);
  t.equal(await settled(), 'web');
  t.same(told.slice(2), [['notBack', 'web', 'web is taken']]);
  t.same(timers.delays, [1_000]);
  timers.fireAll();
  t.equal(await settled(), '');
  t.equal(told.length, 4);
  taken.clear();
  timers.fireAll();
  await settled();
  t.same([...stops.stopped], []);
  t.equal(timers.pending, 0);
});

void t.test('a change back before its turn changes nothing', async t => {
  const { stops, start, settled, told } = create(t);
  stops.follow('app', true);
  start(configOf(['web', 'app']));
  stops.follow('app', false);
  stops.follow('app', true);
  t.equal(await settled(), '');
  t.same(told, []);
});

void t.test('addresses that are not closed are named', async t => {
  const { stops, start, settled, told, kept } = create(t);
  stops.follow('app', true);
  start(configOf(['web', 'app']));
  kept.set('web', ['127.0.0.1:80']);
  stops.follow('app', false);
  await settled();
  t.same(told, [['stopped', 'web', ['127.0.0.1:80']]]);
});

void t.test('what is asked for before the balancer serves is done when it does', async t => {
  const { stops, start, settled, idle, life } = create(t);
  idle.isServing = false;
  stops.follow('app', true);
  start(configOf(['web', 'app']));
  stops.follow('app', false);
  t.equal(await settled(), '');
  idle.isServing = true;
  stops.recheck();
  t.equal(await settled(), 'web');
  stops.stop();
  t.equal(life.kept, 0);
  stops.follow('app', true);
  t.equal(await settled(), '', 'after the end nothing changes');
  t.same([...stops.stopped], ['web']);
});
