/** Listeners that need TLS in workers of the node engine, beside plain ones on epoll: what both groups share is exact. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { spawnWorker } from '../../src/host/worker-thread.ts';
import { loadLibc } from '../../src/linux/libc.ts';
import type { Address } from '../../src/support/address.ts';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { Fleet } from '../harness/fleet.ts';
import { listenAddress } from '../harness/listening-address.ts';
import type { Peer } from '../harness/peer.ts';
import { SteadyClients } from '../harness/steady-clients.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';

const skip = loadLibc().ok ? false : 'workers need koffi on Linux';
const WORKERS = [1, 2];

async function served(t: Test, address: Address, localAddress?: string): Promise<Peer> {
  const client = await connectClient(t, address, localAddress);
  await client.send('x');
  await client.untilText('x');
  return client;
}

async function echoes(t: Test, count: number): Promise<readonly Address[]> {
  const backends = await Promise.all(Array.from({ length: count }, () => startBackend(t, scripts.echo)));
  return backends.map(({ address }) => address);
}

for (const workers of WORKERS) {
  const of = (engine: string): string[] => Array.from({ length: workers }, () => engine);

  void t.test(`${workers}+${workers} workers: both groups count in one place`, { skip }, async t => {
    const fleet = new Fleet(t, workers);
    const backends = await echoes(t, 2);
    fleet.host.apply({ kind: 'upstream', upstream: fleet.upstream('app', backends) });
    const listeners = [fleet.listener('plain'), fleet.listener('safe', { needsTls: true })];
    await fleet.listen(listeners, { maxSessions: 6 });
    t.same(fleet.engines(), [...of('epoll'), ...of('node')]);
    t.same(
      fleet.host.listeners().map(({ name, engine }) => [name, engine]),
      [
        ['plain', 'epoll'],
        ['safe', 'node'],
      ],
    );
    const added = fleet.events.filter(({ kind }) => kind === 'workersAdded');
    t.same(added, [{ kind: 'workersAdded', engine: 'node', workers }]);
    const live = (): number[] =>
      backends.map(address => fleet.shared.counts.live(fleet.backendSlot('app', address)));
    const clients: Peer[] = [];
    for (let i = 0; i < 6; i++) {
      clients.push(await served(t, fleet.addressOf(i % 2 === 0 ? 'plain' : 'safe')));
      t.ok(Math.abs((live()[0] ?? 0) - (live()[1] ?? 0)) <= 1, `leastconn sees both: ${live().join(', ')}`);
    }
    t.same([fleet.sessionsEverOf('epoll'), fleet.sessionsEverOf('node')], [3, 3]);
    t.equal(fleet.host.sessions, 6);
    for (const name of ['plain', 'safe', 'plain', 'safe']) {
      const waiting = await connectClient(t, fleet.addressOf(name));
      await waiting.send('y');
      // Each time a client of the other group leaves.
      const leaver = clients.splice(name === 'plain' ? 1 : 0, 1)[0];
      leaver?.reset();
      await waiting.untilText('y');
      t.ok(fleet.host.sessions <= 6, 'never more than the limit');
      clients.push(waiting);
    }
    for (const client of clients) client.reset();
    await fleet.untilSessions(0);
    t.same(live(), [0, 0]);
  });

  void t.test(
    `${workers} workers: the second group comes with the first listener for it`,
    { skip },
    async t => {
      let mayStart = false;
      const fleet = new Fleet(t, workers, {
        spawn: start => {
          // The first of its threads starts, the last one does not.
          if (start.engine === 'node' && start.index === 2 * workers - 1 && !mayStart)
            throw new Error('no more threads');
          return spawnWorker(start);
        },
      });
      const upstream = fleet.upstream('app', await echoes(t, 1));
      fleet.host.apply({ kind: 'upstream', upstream });
      const plain = fleet.listener('plain');
      const safe = fleet.listener('safe', { needsTls: true });
      await fleet.listen([plain]);
      const client = await served(t, fleet.addressOf('plain'));
      t.same([fleet.engines(), fleet.shared.counts.threads], [of('epoll'), workers]);
      await t.rejects(fleet.listen([plain, safe]), { code: 'LB4_WORKER_FAILED', message: /no more threads/ });
      t.same([fleet.engines(), fleet.shared.counts.threads], [of('epoll'), workers], 'nothing has changed');
      t.equal(fleet.host.listeners().length, 1);
      await client.send('z');
      await client.untilText('xz');
      mayStart = true;
      await fleet.listen([plain, safe]);
      t.same([fleet.engines(), fleet.shared.counts.threads], [[...of('epoll'), ...of('node')], 2 * workers]);
      await served(t, fleet.addressOf('safe'));
      await served(t, fleet.addressOf('plain'));
      await fleet.listen([plain]);
      t.equal(fleet.engines().length, 2 * workers, 'and stays when the last one has gone');
      t.same(
        fleet.events.filter(({ kind }) => kind === 'workerExited'),
        [],
      );
    },
  );

  void t.test(
    `${workers}+${workers} workers: one that dies comes back with its engine`,
    { skip },
    async t => {
      const path = join(temporaryFolder(t), 'killing.mjs');
      writeFileSync(
        path,
        `export function createStrategy(candidates) {
         return { pick({ clientAddress, skip }) {
           if (clientAddress === '127.0.0.2') process.exit(7);
           return candidates.find(candidate => !skip?.(candidate));
         } };
       }`,
      );
      const fleet = new Fleet(t, workers);
      const clients = await SteadyClients.start(t);
      const upstream = fleet.upstream('app', [listenAddress(clients.backend)]);
      fleet.host.apply({ kind: 'upstream', upstream });
      const killed = fleet.upstream('killed', await echoes(t, 1), { strategy: path });
      fleet.host.apply({ kind: 'upstream', upstream: killed });
      const needsTls = true;
      await fleet.listen([
        fleet.listener('plain'),
        fleet.listener('safe', { needsTls }),
        fleet.listener('plain killer', { upstream: 'killed' }),
        fleet.listener('safe killer', { upstream: 'killed', needsTls }),
      ]);
      await clients.come([fleet.addressOf('plain'), fleet.addressOf('safe')]);
      for (const [killer, engine] of [
        ['plain killer', 'epoll'],
        ['safe killer', 'node'],
      ] as const) {
        const before = fleet.events.length;
        const kinds = (kind: string) => fleet.events.slice(before).filter(each => each.kind === kind);
        const client = await connectClient(t, fleet.addressOf(killer), '127.0.0.2').catch(() => undefined);
        await until('it is back', () => kinds('workerRestarted').length === 1);
        client?.reset();
        const [exited] = kinds('workerExited');
        const dead = exited?.kind === 'workerExited' ? exited.worker : 0;
        t.equal(fleet.engines()[dead - 1], engine);
        t.equal(dead > workers, engine === 'node', 'a worker of this group');
        for (const name of ['plain', 'safe']) (await served(t, fleet.addressOf(name))).reset();
      }
      const { served: count, failures } = await clients.stop();
      // At a time there are six at each address, and those of the worker die with it.
      t.ok(failures.length <= 12 + 12, failures.join(', '));
      t.ok(count > 0);
      await fleet.untilSessions(0);
      t.equal(fleet.shared.counts.live(fleet.backendSlot('app', listenAddress(clients.backend))), 0);
    },
  );

  void t.test(
    `${workers}+${workers} workers: a full listener that gets room in the other group is not paused`,
    { skip },
    async t => {
      const fleet = new Fleet(t, workers);
      fleet.host.apply({ kind: 'upstream', upstream: fleet.upstream('app', await echoes(t, 1)) });
      const full = fleet.listener('web', { limits: { maxSessions: 1 } });
      await fleet.listen([full]);
      const client = await served(t, fleet.addressOf('web'));
      const isPaused = (): boolean => fleet.host.listeners()[0]?.paused === true;
      await until('it is paused', isPaused);
      await fleet.listen([{ ...full, needsTls: true, limits: { maxSessions: 2 } }]);
      t.notOk(isPaused());
      const second = await served(t, fleet.addressOf('web'));
      await until('it is full again', isPaused);
      client.reset();
      await until('there is room', () => !isPaused());
      second.reset();
      await fleet.untilSessions(0);
    },
  );

  void t.test(
    `${workers}+${workers} workers: a listener that changes groups loses no client, and its sessions stay`,
    { skip },
    async t => {
      const fleet = new Fleet(t, workers);
      const clients = await SteadyClients.start(t);
      fleet.host.apply({
        kind: 'upstream',
        upstream: fleet.upstream('app', [listenAddress(clients.backend)]),
      });
      const other = fleet.listener('other', { needsTls: true });
      const plain = fleet.listener('moving');
      await fleet.listen([plain, other]);
      const address = fleet.addressOf('moving');
      await clients.come([address]);
      const inPlain = await served(t, address);
      const before = fleet.sessionsEverOf('node');
      let inSafe: Peer | undefined;
      for (let i = 0; i < 10; i++) {
        await fleet.listen([{ ...plain, needsTls: true }, other]);
        const begun = fleet.sessionsEverOf('node');
        await until('the node group serves it', () => fleet.sessionsEverOf('node') > begun + 3);
        inSafe ??= await served(t, address);
        await fleet.listen([plain, other]);
        const ever = fleet.sessionsEverOf('epoll');
        await until('the epoll group serves it', () => fleet.sessionsEverOf('epoll') > ever + 3);
      }
      const { served: count, failures } = await clients.stop();
      t.same(failures, [], `${count} were served`);
      t.ok(fleet.sessionsEverOf('node') > before);
      t.same(fleet.addressOf('moving'), address);
      for (const client of [inPlain, inSafe]) {
        await client?.send('still');
        await client?.untilText('xstill');
      }
      await fleet.untilSessions(2);
    },
  );
}
