import t, { type Test } from 'tap';
import type { AgentAnswer } from '../../../../src/control/health/agent-answer.ts';
import {
  AgentChecker,
  agentSettings,
  type AgentSettings,
} from '../../../../src/control/health/agent-checker.ts';
import { openSocket } from '../../../../src/engine/node/open-socket.ts';
import { parseConfig } from '../../../../src/config/source/parse.ts';
import { setUnrefTimer } from '../../../../src/support/timer.ts';
import type { Address } from '../../../../src/support/address.ts';
import { refusingAddress, startBackend, type Script } from '../../../harness/backend.ts';
import { pause, until } from '../../../harness/until.ts';
import { withUpstream } from '../../config/small-inputs.ts';
import { openSockets } from './probing.ts';

const say =
  (text: string, end = false): Script =>
  peer =>
    void (end ? peer.socket.end(text) : peer.send(text));

/** Asks the agents at these addresses, one backend each. */
function ask(t: Test, addresses: Record<string, Address | undefined>, settings: Partial<AgentSettings> = {}) {
  const answers: [string, AgentAnswer][] = [];
  const checker = new AgentChecker(
    { intervalMs: 30, timeoutMs: 30, ...settings },
    {
      now: () => performance.now(),
      random: () => 0.5,
      setTimer: setUnrefTimer,
      openSocket: address => openSocket(address, undefined),
      addressesOf: backend => [addresses[backend]].filter(address => address !== undefined),
      onAnswer: (backend, answer) => answers.push([backend, answer]),
    },
  );
  t.teardown(() => checker.stop());
  for (const backend of Object.keys(addresses)) checker.add(backend);
  return { checker, answers };
}

void t.test('every agent is asked at once and again after each interval, on a new connection', async t => {
  const [a, b] = [await startBackend(t, say('75%\n')), await startBackend(t, say('down#why', true))];
  const { answers } = ask(t, { a: a.address, b: b.address }, { timeoutMs: 5_000 });
  const timesHeard = (name: string): number => answers.filter(([backend]) => backend === name).length;
  await until('both have answered twice', () => timesHeard('a') >= 2 && timesHeard('b') >= 2);
  t.ok(a.peers.length >= 2 && b.peers.length >= 2, 'on a connection each');
  t.strictSame(answers.filter(([backend]) => backend === 'a').slice(0, 2), [
    ['a', { percent: 75 }],
    ['a', { percent: 75 }],
  ]);
  t.strictSame(
    answers.find(([backend]) => backend === 'b'),
    ['b', { health: 'down', why: 'why' }],
  );
});

void t.test('an agent that wants to be asked is sent the text', async t => {
  const agent = await startBackend(t, peer =>
    peer.socket.once('data', asked => void peer.send(`up #${asked.toString()}`)),
  );
  const { answers } = ask(t, { a: agent.address }, { send: 'state\n', timeoutMs: 5_000 });
  await until('it has answered', () => answers.length > 0);
  t.strictSame(answers[0], ['a', { health: 'up', why: 'state' }]);
  t.equal(await agent.peers[0]?.untilEnded(), 'fin');
});

void t.test('a line may come in pieces, and only the first one counts', async t => {
  const agent = await startBackend(t, peer => {
    void peer.send('dr').then(() => setTimeout(() => void peer.send('ain\r\nmaint\n'), 5));
  });
  const { answers } = ask(t, { a: agent.address }, { timeoutMs: 5_000 });
  await until('it has answered', () => answers.length > 0);
  t.strictSame(answers[0], ['a', { state: 'drain' }]);
});

void t.test(
  'refusing, saying nothing, half a line, too much or a reset is no answer, and no error',
  async t => {
    const scripts: Script[] = [
      () => undefined,
      say('down'),
      say('down '.repeat(300) + '\n'),
      peer => peer.socket.end(),
      peer => void peer.send('down').then(() => setTimeout(() => peer.reset(), 3)),
    ];
    const agents = await Promise.all(scripts.map(script => startBackend(t, script)));
    const addresses = Object.fromEntries(agents.map(({ address }, i) => [`${i}`, address]));
    const { answers } = ask(t, { ...addresses, refusing: await refusingAddress(), unresolved: undefined });
    await until('all were asked three times', () => agents.every(({ peers }) => peers.length >= 3));
    // Node 20 and 22 may report "data, then reset" as the end of the data.
    t.strictSame(
      answers.filter(([backend]) => backend !== '4'),
      [],
    );
  },
);

void t.test('a flood is cut off', async t => {
  const agent = await startBackend(t, peer => {
    const more = (): void => {
      if (!peer.closed) peer.socket.write('x'.repeat(50_000), () => setImmediate(more));
    };
    more();
  });
  const { checker, answers } = ask(t, { a: agent.address }, { intervalMs: 10_000, timeoutMs: 10_000 });
  await until('it was cut off', () => agent.peers[0]?.closed === true);
  checker.stop();
  t.strictSame(answers, []);
});

void t.test('a removed backend is asked no more, and a question on its way is dropped', async t => {
  const agent = await startBackend(t);
  const { checker, answers } = ask(t, { a: agent.address }, { timeoutMs: 5_000 });
  const peer = await agent.next();
  checker.remove('a');
  await peer.untilEnded();
  await pause(60);
  t.equal(agent.peers.length, 1);
  t.strictSame(answers, []);
  t.equal(openSockets(), 0);
});

void t.test('the settings come from the configuration', async t => {
  const parsed = parseConfig(withUpstream({ agent: { port: 9_999, interval: '1s', send: 'x' } }));
  const agent = parsed.ok ? parsed.config.upstreams[0]?.agent : undefined;
  t.match(agent && agentSettings(agent), { port: 9_999, intervalMs: 1_000, timeoutMs: 1_000, send: 'x' });
});
