/** What a kernel reports of a socket that is still connecting is not believed, and no byte is lost for it. */
import t, { type Test } from 'tap';

import { EPOLL_CTL_ADD, EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLRDHUP } from '../../../../src/linux/abi.ts';
import { loadLibc, type Libc } from '../../../../src/linux/libc.ts';
import { connected, join } from '../../../contracts/engine/fixture.ts';
import { scripts, startBackend } from '../../../harness/backend.ts';
import { newEpollEngine } from '../../../harness/epoll-engine.ts';
import { pause, until } from '../../../harness/until.ts';

const loaded = loadLibc();
const skip = loaded.ok ? false : loaded.reason;

/** A kernel that reports `events` once of every socket that is connecting, before anything that is true. */
function reportingFalsely(libc: Libc, events: number): Libc & { readonly reads: number[] } {
  const { words } = libc.epollLayout;
  const connecting = new Set<number>();
  const reports: Uint8Array[] = [];
  const reads: number[] = [];
  return {
    ...libc,
    reads,
    connect: (fd, address, bytes) => {
      connecting.add(fd);
      return libc.connect(fd, address, bytes);
    },
    epoll_ctl: (epollFd, operation, fd, event) => {
      if (operation === EPOLL_CTL_ADD && connecting.delete(fd)) {
        const report = Buffer.from(event.subarray(0, words * 4));
        report.writeUInt32LE(events, 0);
        reports.push(report);
      }
      return libc.epoll_ctl(epollFd, operation, fd, event);
    },
    epoll_wait: (epollFd, buffer, most, timeoutMs) => {
      const report = reports.shift();
      if (report === undefined) return libc.epoll_wait(epollFd, buffer, most, timeoutMs);
      buffer.set(report);
      return 1;
    },
    recv: (fd, buffer, bytes, flags) => {
      const count = libc.recv(fd, buffer, bytes, flags);
      reads.push(count);
      return count;
    },
  };
}

const REPORTS = {
  'a hang-up': EPOLLIN | EPOLLRDHUP,
  'a hang-up with an error': EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR,
};

for (const [name, events] of Object.entries(REPORTS)) {
  void t.test(
    `after ${name} while connecting the first answer is not taken for the last`,
    { skip },
    async t => {
      if (!loaded.ok) return;
      const libc = reportingFalsely(loaded.libc, events);
      const { client, backend, ended } = await join(t, newEpollEngine({ libc }));
      for (const answer of ['one', 'two', 'three']) {
        await backend.send(answer);
        await client.untilText(answer);
        await client.send(answer);
        await backend.untilText(answer);
      }
      t.equal(client.text, 'onetwothree');
      backend.halfClose();
      t.equal(await client.untilEnded(), 'fin');
      client.halfClose();
      t.match(await ended(), { by: 'backend', reason: 'closed' });
    },
  );
}

void t.test(
  'a false hang-up costs one read more, and the next short read is trusted again',
  { skip },
  async t => {
    if (!loaded.ok) return;
    const libc = reportingFalsely(loaded.libc, EPOLLIN | EPOLLRDHUP);
    const { client, backend } = await join(t, newEpollEngine({ libc, trustsShortReads: true }));
    await backend.send('one');
    await client.untilText('one');
    const before = libc.reads.length;
    await backend.send('two');
    await client.untilText('two');
    t.strictSame(libc.reads.slice(before), [3]);
    t.ok(libc.reads.slice(0, before).includes(-1), `the reads before: ${libc.reads.slice(0, before).join()}`);
  },
);

/** What a watch over a fresh connection reports. */
async function reported(t: Test, script?: Parameters<typeof startBackend>[1]): Promise<() => string[]> {
  if (!loaded.ok) return () => [];
  const engine = newEpollEngine({ libc: reportingFalsely(loaded.libc, EPOLLIN | EPOLLRDHUP) });
  const backend = await startBackend(t, script);
  const connection = await connected(t, engine, backend.address);
  await backend.next();
  const changes: string[] = [];
  connection.watch(change => changes.push(change));
  return () => changes;
}

void t.test('a parked connection is not dead for a false hang-up, nor readable', { skip }, async t => {
  const changes = await reported(t);
  await pause(20);
  t.strictSame(changes(), []);
});

void t.test('but it is dead when the backend has ended meanwhile', { skip }, async t => {
  const changes = await reported(t, peer => peer.halfClose());
  await until('its death is reported', () => changes().length > 0);
  t.strictSame(changes(), ['dead']);
});

void t.test('without trust every short read is followed by one that finds nothing', { skip }, async t => {
  if (!loaded.ok) return;
  const libc = reportingFalsely(loaded.libc, 0);
  const { client } = await join(t, newEpollEngine({ libc, trustsShortReads: false }), scripts.echo);
  for (const text of ['one', 'two', 'three']) {
    await client.send(text);
    await client.untilText(text);
  }
  client.halfClose();
  t.equal(await client.untilEnded(), 'fin');
  const afterBytes = libc.reads.filter((_, i, all) => (all[i - 1] ?? 0) > 0);
  t.equal(afterBytes.length, 6);
  t.ok(afterBytes.every(count => count <= 0));
});
