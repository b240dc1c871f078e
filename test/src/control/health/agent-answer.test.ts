import t from 'tap';
import { parseAgentAnswer, type AgentAnswer } from '../../../../src/control/health/agent-answer.ts';
import { fc } from '../../../harness/properties.ts';

const CASES: [line: string, answer: AgentAnswer][] = [
  ['', {}],
  ['75%\n', { percent: 75 }],
  ['0%', { percent: 0 }],
  ['25600%', { percent: 25_600 }],
  ['99999999999999999999%', { percent: 25_600 }],
  ['75', {}],
  ['-5%', {}],
  ['7.5%', {}],
  ['75%x', {}],
  ['%', {}],
  ['maxconn:30', { maxSessions: 30 }],
  ['maxconn:0', { maxSessions: 0 }],
  ['MAXCONN:7', { maxSessions: 7 }],
  ['maxconn:99999999999', { maxSessions: 2_147_483_647 }],
  ['maxconn: 30', {}],
  ['maxconn:-1', {}],
  ['maxconn:x', {}],
  ['ready', { state: 'ready' }],
  ['Drain\r\n', { state: 'drain' }],
  ['maint', { state: 'maint' }],
  ['up', { health: 'up' }],
  ['down', { health: 'down' }],
  ['fail', { health: 'down' }],
  ['failed', { health: 'down' }],
  ['stopped', { health: 'down' }],
  ['down#out of memory', { health: 'down', why: 'out of memory' }],
  ['down # out of memory, again', { health: 'down', why: 'out of memory, again' }],
  ['up #', { health: 'up' }],
  ['#down', {}],
  ['drain # no health, no description', { state: 'drain' }],
  ['down#a\u001b[31mb\u0000', { health: 'down', why: String.raw`a\x1b[31mb\x00` }],
  ['75%,maxconn:30,maint,down\n', { percent: 75, maxSessions: 30, state: 'maint', health: 'down' }],
  [' \t, up ,,\t50%  ready\r\ndown', { health: 'up', percent: 50, state: 'ready' }],
  ['50% 60% drain ready up down', { percent: 60, state: 'ready', health: 'down' }],
  ['hello up5 world', {}],
  ['\ndown', {}],
  ['constructor __proto__ toString', {}],
];

void t.test('an agent’s line is understood as HAProxy understands it', async t => {
  for (const [line, answer] of CASES) t.strictSame(parseAgentAnswer(line), answer, JSON.stringify(line));
});

void t.test('whatever an agent sends, the answer is within its bounds', async () => {
  const word = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('up', 'down', 'drain', '75%', 'maxconn:3', '#', '\r\n', ',', ' '),
  );
  fc.assert(
    fc.property(fc.array(word), words => {
      const { percent = 0, maxSessions = 0, state, health, why } = parseAgentAnswer(words.join(''));
      return (
        Number.isSafeInteger(percent) &&
        percent >= 0 &&
        percent <= 25_600 &&
        Number.isSafeInteger(maxSessions) &&
        maxSessions >= 0 &&
        maxSessions <= 2_147_483_647 &&
        [undefined, 'ready', 'drain', 'maint'].includes(state) &&
        [undefined, 'up', 'down'].includes(health) &&
        (why === undefined || (health !== undefined && why.length <= 200 && !/[\p{Cc}\u2028]/u.test(why)))
      );
    }),
    { numRuns: 500 },
  );
});

void t.test('words mean the same in any order and with any separators', async () => {
  const words = ['75%', 'maxconn:30', 'drain', 'up'];
  const expected = { percent: 75, maxSessions: 30, state: 'drain', health: 'up' } as const;
  const separator = fc.stringMatching(/^[ \t,]{1,3}$/);
  fc.assert(
    fc.property(fc.shuffledSubarray(words, { minLength: 4 }), separator, (order, between) => {
      const answer = parseAgentAnswer(`${order.join(between)}\n`);
      return Object.entries(expected).every(([key, value]) =>
        Object.entries(answer).some(([k, v]) => k === key && v === value),
      );
    }),
    { numRuns: 100 },
  );
});
