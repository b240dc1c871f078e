/** Upgrades under load: one lb4 follows the other, and no client notices. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadLibc } from '../../src/linux/libc.ts';
import { parseAddress, type Address } from '../../src/support/address.ts';
import { connectClient } from '../harness/client.ts';
import { FULL } from '../harness/full-load.ts';
import type { Peer } from '../harness/peer.ts';
import '../harness/run-once.ts';
import { SteadyClients } from '../harness/steady-clients.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { startUpgradedLb4, untilGone, type UpgradedLb4 } from '../harness/upgraded-lb4.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;
const DRAIN_MS = 1_500;
t.setTimeout(FULL ? 300_000 : 90_000);

interface Running {
  readonly lb4: UpgradedLb4;
  readonly clients: SteadyClients;
  readonly addresses: readonly Address[];
  readonly configure: (engine: string, workers: number) => void;
}

async function start(t: Test, engine: string, workers: number): Promise<Running> {
  const clients = await SteadyClients.start(t);
  const folder = temporaryFolder(t);
  const file = join(folder, 'lb4.json');
  const configure = (engine: string, workers: number): void =>
    writeFileSync(
      file,
      JSON.stringify({
        ...{ engine, workers, drainTimeout: `${DRAIN_MS}ms`, drain: { spread: 0 } },
        listeners: [
          { name: 'web', bind: ['127.0.0.1:0', '[::1]:0', `unix:${folder}/web.sock`], upstream: 'app' },
          { name: 'any', bind: ':0', upstream: 'app' },
        ],
        upstreams: [{ name: 'app', health: 'off', backends: [clients.backend] }],
      }),
    );
  configure(engine, workers);
  const lb4 = await startUpgradedLb4(t, ['-c', file]);
  const addresses = lb4.addresses().flatMap((text): Address[] => {
    const parsed = parseAddress(text);
    if (!parsed.ok) throw new Error(parsed.expected);
    const { address } = parsed;
    if (address.kind === 'unix' || address.host !== '::') return [address];
    return ['127.0.0.1', '::1'].map(host => ({ ...address, host }));
  });
  t.equal(addresses.length, 5);
  return { lb4, clients, addresses, configure };
}

async function session(t: Test, address: Address): Promise<Peer> {
  const peer = await connectClient(t, address);
  await peer.send('1');
  await peer.untilText('1');
  return peer;
}

/** Engine and workers at the start, and after each upgrade. */
type Course = readonly (readonly [engine: string, workers: number])[];

const often = (engine: string, workers: number, times: number): Course =>
  Array<[string, number]>(times + 1).fill([engine, workers]);

const COURSES: readonly Course[] = FULL
  ? [
      often('epoll', 2, 20),
      often('node', 2, 20),
      often('epoll', 1, 5),
      often('node', 0, 5),
      [
        ['epoll', 1],
        ['epoll', 3],
        ['epoll', 2],
        ['node', 2],
        ['node', 0],
        ['node', 3],
        ['epoll', 1],
        ['epoll', 4],
      ],
    ]
  : [
      [
        ['epoll', 2],
        ['epoll', 1],
        ['epoll', 3],
      ],
      [
        ['node', 2],
        ['node', 0],
      ],
    ];

for (const course of COURSES) {
  const [[engine, workers] = ['epoll', 1]] = course;
  const words = course.map(([name, count]) => `${name} ${count}`);
  const text = new Set(words).size === 1 ? `${words.length} times ${words[0] ?? ''}` : words.join(', ');
  void t.test(`no client is refused or reset: ${text}`, { skip, timeout: 120_000 }, async t => {
    const { lb4, clients, addresses, configure } = await start(t, engine, workers);
    await clients.come(addresses);
    const ends: Promise<void>[] = [];
    for (const [engine, workers] of course.slice(1)) {
      configure(engine, workers);
      const long = await Promise.all(addresses.map(address => session(t, address)));
      const before = lb4.current();
      const handedOverAt = performance.now();
      t.match(await lb4.upgrade(), { engine, workers, pid: lb4.current() });
      for (const peer of long) {
        await peer.send('2');
        await peer.untilText('12');
      }
      const end = async (): Promise<void> => {
        const endings = await Promise.all(long.map(peer => peer.untilEnded()));
        // A unix socket knows no reset.
        const expected = addresses.map(({ kind }) => (kind === 'unix' ? 'fin' : 'reset'));
        t.same(endings, expected, 'long sessions live until the drain is over');
        t.ok(performance.now() - handedOverAt >= DRAIN_MS, 'and no shorter');
        await untilGone(before);
      };
      ends.push(end());
    }
    await Promise.all(ends);
    const { served, failures } = await clients.stop();
    t.same(failures, [], `${served} sessions were served`);
    t.comment(`${served} sessions over ${course.length - 1} upgrades`);
    t.same(lb4.addresses().length, 4, 'at the same addresses throughout');
    t.same(lb4.other, []);
    process.kill(lb4.current(), 'SIGTERM');
    await untilGone(lb4.current());
  });
}
