/**
 * What stands where Redis should sends without end: clients are served all the while, and memory stays as it was. Real
 * processes; control and sessions share one thread.
 */
import t, { type Test } from 'tap';
import { scripts, startBackend } from '../harness/backend.ts';
import { connectClient } from '../harness/client.ts';
import { startLb4 } from '../harness/lb4-process.ts';
import { startOddRedis, type OddRedis } from '../harness/odd-redis.ts';
import { residentBytes } from '../harness/resident-bytes.ts';
import '../harness/run-once.ts';
import { now } from '../harness/traffic.ts';
import { formatAddress } from '../../src/support/address.ts';

t.setTimeout(60_000);
const MIB = 2 ** 20;
const CHANNEL = 'lb4:{default}:changes';
const message = `>3\r\n$7\r\nmessage\r\n$${CHANNEL.length}\r\n${CHANNEL}\r\n$2\r\n{}\r\n`;
const FLOODS: Readonly<Record<string, (redis: OddRedis) => void>> = {
  'answers to nothing': redis => redis.flood('eval', '+OK\r\n'),
  messages: redis => redis.flood('subscribe', message),
  'large texts': redis => (redis.answers = { eval: `$9000000\r\n${'x'.repeat(9_000_000)}\r\n` }),
  'long lists': redis => (redis.answers = { eval: `*200000\r\n${':1\r\n'.repeat(200_000)}` }),
};

async function outlasts(t: Test, flood: (redis: OddRedis) => void): Promise<void> {
  const backend = await startBackend(t, scripts.echo);
  const redis = await startOddRedis(t);
  const args = ['-b', formatAddress(backend.address), '--workers', '0', '--engine', 'node'];
  const lb4 = await startLb4(t, [...args, '--redis', `redis://127.0.0.1:${redis.port}`]);
  await lb4.line(({ event }) => event === 'mirrorShared');
  const client = await connectClient(t, { kind: 'tcp', host: lb4.host, port: lb4.port });
  const before = residentBytes(lb4.pid) / MIB;
  flood(redis);
  let slowest = 0;
  for (let i = 0; redis.flooded < 100 * MIB && i < 50; i += 1) {
    const askedAt = now();
    await client.send('x');
    await client.untilText('x'.repeat(i + 1));
    slowest = Math.max(slowest, now() - askedAt);
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  t.ok(slowest < 1_000, `the slowest answer took ${slowest.toFixed(0)} ms`);
  const after = residentBytes(lb4.pid) / MIB;
  t.ok(after - before < 150, `${before.toFixed(0)} MiB became ${after.toFixed(0)}`);
  t.comment(`${slowest.toFixed(0)} ms, ${(after - before).toFixed(0)} MiB more, ${redis.flooded} bytes`);
  client.reset();
  t.equal(await lb4.stop(), 0);
}

for (const [name, flood] of Object.entries(FLOODS)) void t.test(name, t => outlasts(t, flood));
