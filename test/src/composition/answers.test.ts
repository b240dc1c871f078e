/** A listener that cannot give denied clients no answer says so, and only then. */
import t from 'tap';
import { reportAnswers } from '../../../src/composition/answers.ts';
import { parsedConfig } from '../../../src/composition/parsed.ts';
import type { ConfigInput } from '../../../src/config/schema/schema.ts';
import { Events } from '../../../src/model/events.ts';

type Listener = Partial<ConfigInput['listeners'][number]>;

function told(silence: Parameters<typeof reportAnswers>[1], ...listeners: readonly Listener[]): unknown[] {
  const events = new Events();
  const seen: unknown[] = [];
  events.on('listener:answersDenied', event => seen.push(event));
  const config = parsedConfig({
    listeners: listeners.map((each, i) => ({
      name: `l${i}`,
      bind: `127.0.0.1:${8000 + i}`,
      upstream: 'app',
      ...each,
    })),
    upstreams: [{ name: 'app', backends: ['127.0.0.1:1'] }],
  });
  reportAnswers(config, silence, events);
  return seen;
}

void t.test('where silence can be had there is nothing to say', t => {
  t.same(told('full', { access: { deny: 'drop' } }), []);
  t.end();
});

void t.test('listeners that drop are named, others are not', t => {
  const listeners: readonly Listener[] = [
    {},
    { access: { allow: ['10.0.0.0/8'] }, whenDenied: 'drop' },
    { access: { deny: ['10.0.0.0/8'] } },
    { whenDenied: 'drop' },
    { access: { deny: ['10.0.0.0/8', 'unix'], allow: 'all' }, whenDenied: 'drop' },
    { access: [{ deny: ['::1'] }, { deny: 'drop' }] },
    { access: { deny: 'reset' }, whenDenied: 'drop' },
  ];
  const named = ['l1', 'l4', 'l5'];
  t.same(
    told('routed', ...listeners),
    named.map(listener => ({ listener, how: 'resetNearby' })),
  );
  t.same(
    told(undefined, ...listeners),
    named.map(listener => ({ listener, how: 'reset' })),
  );
  t.end();
});
