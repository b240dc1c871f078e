import { KEY_BY_FORM } from '../../../src/config/key-by.ts';
import t from 'tap';
import { problems, withBackend, withUpstream } from './small-inputs.ts';

const BAD: [name: string, input: unknown, line: string][] = [
  [
    'an ejection of more than everything',
    withUpstream({ ejection: { maxPercent: 120 } }),
    'upstreams[0].ejection.maxPercent: expected an integer from 1 to 100, got 120',
  ],
  [
    'an ejection after no failure',
    withUpstream({ ejection: { failures: 0 } }),
    'upstreams[0].ejection.failures: expected an integer from 1 to 1000, got 0',
  ],
  [
    'an ejection that begins above its longest time',
    withUpstream({ ejection: { base: '2m' } }),
    'upstreams[0].ejection.base: expected a duration of at most max, which is 1m, got "2m"',
  ],
  [
    'a longest ejection below its shortest',
    withUpstream({ ejection: { max: '1s' } }),
    'upstreams[0].ejection.max: expected a duration of at least base, which is 5s, got "1s"',
  ],
  [
    'a switch for ejection',
    withUpstream({ ejection: true }),
    'upstreams[0].ejection: expected "off", or a mapping such as { failures: 5, base: 5s }, got true',
  ],
  [
    'a table for nobody',
    withUpstream({ sticky: { max: 0 } }),
    'upstreams[0].sticky.max: expected an integer from 1 to 10000000, got 0',
  ],
  [
    'stickiness by something else',
    withUpstream({ sticky: { by: 'cookie' } }),
    `upstreams[0].sticky.by: expected ${KEY_BY_FORM}, got "cookie"`,
  ],
  [
    'a memory too short to be kept in seconds',
    withUpstream({ sticky: { ttl: '10ms' } }),
    'upstreams[0].sticky.ttl: expected a duration from 1s to 168h, got "10ms"',
  ],
  [
    'panic below more than everything',
    withUpstream({ panicBelow: 101 }),
    'upstreams[0].panicBelow: expected an integer from 0 to 100, got 101',
  ],
  [
    'panic in a word that is none',
    withUpstream({ panicBelow: 'never' }),
    'upstreams[0].panicBelow: expected an integer from 0 to 100, or "off", got "never"',
  ],
  [
    'backups at another time',
    withUpstream({ backups: 'whenDwon' }),
    'upstreams[0].backups: expected one of whenDown, whenFull, all, first, or a mapping such as { when: full, which: first }, got "whenDwon"; did you mean "whenDown"?',
  ],
  [
    'backups by a word of the other key',
    withUpstream({ backups: { when: 'first' } }),
    'upstreams[0].backups.when: expected one of down, full, got "first"',
  ],
  [
    'a queue without an end',
    withUpstream({ queue: { timeout: 0 } }),
    'upstreams[0].queue.timeout: expected a duration from 10ms to 10m, got 0',
  ],
  [
    'no attempt at all',
    withUpstream({ connect: { rounds: 0 } }),
    'upstreams[0].connect.rounds: expected an integer from 1 to 10, got 0',
  ],
  [
    'a budget as a number',
    withUpstream({ connect: { retryBudget: 20 } }),
    'upstreams[0].connect.retryBudget: expected a mapping with keys such as percent, minPerSecond, got 20',
  ],
  [
    'backups for nothing',
    withBackend({ address: '10.0.0.1:80', backup: true }),
    'upstreams[0].backends: expected at least one backend without backup: true, got a list',
  ],
  [
    'another word for what happens to sessions',
    withUpstream({ whenDown: 'kill' }),
    'upstreams[0].whenDown: expected one of keep, reset, got "kill"',
  ],
];

for (const [name, input, line] of BAD) {
  void t.test(`${name} is told in plain words`, async t => {
    t.equal(problems(input), line);
  });
}

void t.test('ejection can be switched off, and its limits may meet', async t => {
  t.equal(problems(withUpstream({ ejection: 'off' })), '');
  t.equal(problems(withUpstream({ ejection: false })), '');
  t.equal(problems(withUpstream({ ejection: { base: '60s' } })), '');
});
