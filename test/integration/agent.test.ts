/** An agent that speaks HAProxy's words, and what they do to the sessions of its backend: each told and logged once. */
import t, { type Test } from 'tap';
import { EVENT_NAMES } from '../../src/model/events.ts';
import { createLoadBalancer } from '../../src/index.ts';
import { logEvents } from '../../src/observe/log-events.ts';
import { createLog } from '../../src/observe/log.ts';
import { formatAddress } from '../../src/support/address.ts';
import { scripts, startBackend, type Backend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { addressOf } from '../harness/listening-address.ts';
import { keepLines, UNTIMED } from '../harness/log-lines.ts';
import { pause, until } from '../harness/until.ts';

const INTERVAL_MS = 20;
const portOf = ({ address }: Backend): number => (address.kind === 'tcp' ? address.port : 0);

/** Two backends on hosts of their own and a balancer that asks an agent on each; only the first has one. */
async function start(t: Test) {
  let word = '';
  const speak = (where?: Backend['address']): Promise<Backend> =>
    startBackend(t, peer => void peer.socket.end(`${word}\n`), where);
  const agent = await speak();
  const backends = [
    await startBackend(t, scripts.echo),
    await startBackend(t, scripts.echo, { kind: 'tcp', host: '127.0.0.2', port: 0 }),
  ] as const;
  const [name, other] = backends.map(({ address }) => formatAddress(address)) as [string, string];
  const balancer = createLoadBalancer({
    engine: 'node',
    workers: 0,
    listeners: [{ name: 'web', bind: ['127.0.0.1:0'], upstream: 'app' }],
    upstreams: [
      {
        name: 'app',
        strategy: 'leastconn',
        health: 'off',
        agent: { port: portOf(agent), interval: INTERVAL_MS },
        backends: [name, other],
      },
    ],
  });
  const { lines: kept, written: lines } = keepLines();
  logEvents(balancer, createLog({ level: 'info', format: 'json', lines: kept }), UNTIMED);
  const told: unknown[] = [];
  for (const event of EVENT_NAMES) {
    if (/^(backend|upstream):/.test(event)) balancer.on(event, fields => told.push({ event, ...fields }));
  }
  t.teardown(() => balancer.stop());
  await balancer.start();
  lines.length = 0;
  return {
    ...{ name, agent, speak, told, lines, backends, address: addressOf(balancer) },
    view: (backend = name) =>
      balancer.snapshot().upstreams[0]?.backends.find(each => each.backend === backend),
    total: () => balancer.snapshot().sessions,
    /** From now on the agent says this. */
    will: (say: string): void => {
      word = say;
    },
  };
}

void t.test(
  'what an agent says takes effect, with one event and one line in the log each',
  { skip: process.platform !== 'linux' && 'a second loopback address takes Linux' },
  async t => {
    const system = await start(t);
    const { name, told, lines, view, agent, backends, will } = system;
    /** The agent says `word`, several times; what that brings must be one event and its line. */
    const say = async (word: string, event: object, line: object): Promise<void> => {
      const before = agent.peers.length;
      will(word);
      // The first of these may have been answered with the word before.
      await until(`it was asked again after ${word}`, () => agent.peers.length >= before + 4);
      await until('the log is written', () => lines.length > 0);
      t.match(told[0], { upstream: 'app', backend: name, ...event }, `event of ${word}`);
      t.match(JSON.parse(lines[0] ?? ''), { upstream: 'app', backend: name, ...line }, `log line of ${word}`);
      t.same([told.splice(0).length, lines.splice(0).length], [1, 1], `one each of ${word}`);
    };
    /** Opens so many sessions and resolves to how many of them each backend got; they are closed again. */
    const spread = async (sessions: number): Promise<number[]> => {
      const before = backends.map(({ peers }) => peers.length);
      const clients = [];
      for (let i = 0; i < sessions; i++) {
        const client = await connectClient(t, system.address);
        await client.send('x');
        await client.untilText('x');
        clients.push(client);
      }
      const got = backends.map(({ peers }, i) => peers.length - (before[i] ?? 0));
      for (const client of clients) client.halfClose();
      await until('all have ended', () => system.total() === 0);
      return got;
    };

    await say(
      '75%',
      { event: 'backend:shareSet', weight: 1, percent: 75, by: 'agent' },
      { event: 'backendShareSet', message: /weight 1, of which 75 % count/ },
    );
    t.match(view(), { state: 'up', share: 0.75, weight: 1, agent: { percent: 75 } });
    t.same(await spread(7), [3, 4]);

    const old = await connectClient(t, system.address);
    const second = await connectClient(t, system.address);
    for (const client of [old, second]) {
      await client.send('x');
      await client.untilText('x');
    }
    t.equal(view()?.sessions, 1, 'of two sessions each has one');
    await say(
      'drain',
      { event: 'backend:stateSet', state: 'drain', by: 'agent' },
      { event: 'backendStateSet', message: /set to drain by its agent/ },
    );
    t.match(view(), { state: 'drain', takesSessions: false, sessions: 1, operator: 'ready' });
    for (const client of [old, second]) {
      await client.send('y');
      await client.untilText('xy');
      client.halfClose();
    }
    await until('both have ended', () => system.total() === 0);
    t.same(await spread(3), [0, 3]);

    await say(
      'maint',
      { event: 'backend:stateSet', state: 'maint', by: 'agent' },
      { event: 'backendStateSet', message: /set to maint by its agent/ },
    );
    t.match(view(), { state: 'maint', takesSessions: false });
    await say(
      'ready',
      { event: 'backend:stateSet', state: 'ready', by: 'agent' },
      { event: 'backendStateSet', message: /set to ready by its agent/ },
    );
    t.match(view(), { state: 'up', takesSessions: true, share: 0.75 }, 'what it said before still holds');

    await say(
      'down#disk full',
      { event: 'backend:down', reason: 'its agent says down: disk full' },
      { event: 'backendDown', level: 'warn', message: /is down: its agent says down: disk full$/ },
    );
    t.match(view(), { state: 'down', takesSessions: false, agent: { health: 'down' } });
    t.same(await spread(2), [0, 2]);
    await say(
      'up',
      { event: 'backend:up', reason: 'its agent says up' },
      { event: 'backendUp', level: 'info' },
    );
    t.match(view(), { state: 'up', takesSessions: true });

    await say(
      'maxconn:2',
      { event: 'backend:shareSet', percent: 75, maxSessions: 2, by: 'agent' },
      { event: 'backendShareSet', message: /maxSessions 2$/ },
    );
    t.match(view(), { share: 0.75, agent: { maxSessions: 2 } });
    t.same(await spread(7), [2, 5]);

    const before = view();
    await agent.close();
    // Ten times it is asked in vain, which nobody can see.
    await pause(10 * INTERVAL_MS);
    const after = view();
    t.same(
      { ...after, stateForMs: 0 },
      { ...before, stateForMs: 0 },
      'an agent that goes away changes nothing',
    );
    t.ok(Number(after?.stateForMs) > Number(before?.stateForMs), 'and no state begins anew');
    t.same([told, lines], [[], []]);
    t.same(await spread(7), [2, 5]);

    will('100% maxconn:0');
    await system.speak(agent.address);
    await until('it speaks again', () => told.length > 0);
    t.match(told[0], { event: 'backend:shareSet', backend: name, percent: 100 });
    t.match(view(), { share: 1 });
    t.same(await spread(6), [3, 3]);
  },
);
