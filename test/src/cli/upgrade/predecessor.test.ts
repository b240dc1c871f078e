/** What the two processes of an upgrade say to each other, and how the newer one meets the older. */
import { EventEmitter } from 'node:events';
import t from 'tap';
import {
  FIRST_FD,
  FROM,
  helloOf,
  parseFromNewcomer,
  parseHello,
} from '../../../../src/cli/upgrade/messages.ts';
import { meetPredecessor, type Channel } from '../../../../src/cli/upgrade/predecessor.ts';
import type { Inheritance } from '../../../../src/model/inheritance.ts';
import { FakeTimers } from '../../../harness/fake-timers.ts';

const file = { path: '/run/web.sock', dev: 5n, ino: 2n ** 60n };
const inheritance: Inheritance = {
  sockets: [
    { key: '[::]:80', name: 'web', fds: [30, 31], isLent: false, file: undefined },
    { key: 'unix:/run/web.sock', name: 'web', fds: [32], isLent: true, file },
  ],
  changes: [
    { upstream: 'app', backend: 'a:1', what: 'weight', configured: 1, now: 4 },
    { upstream: 'app', backend: 'b:1', what: 'added', added: { weight: 1, backup: true } },
  ],
};
const admin = [{ key: '127.0.0.1:9090', name: 'admin', fds: [40], isLent: false, file: undefined }];
const { message, fds } = helloOf(3, inheritance, admin);

class FakeProcess extends EventEmitter {
  connected = true;
  readonly env: NodeJS.ProcessEnv = { [FROM]: '3' };
  readonly sent: unknown[] = [];

  send(said: unknown, _handle: unknown, _options: unknown, sent: () => void): boolean {
    this.sent.push(said);
    sent();
    return true;
  }

  disconnect(): void {
    this.connected = false;
  }
}

const meet = (process: FakeProcess, hello = JSON.stringify(message)) =>
  // The part that is used.
  meetPredecessor(process as unknown as Channel, new FakeTimers().setTimer, () => Promise.resolve(hello));

void t.test('hello names each descriptor by its number in the newer process', async t => {
  t.same(fds, [30, 31, 32, 40]);
  const hello = parseHello(JSON.stringify(message));
  const at = (i: number): number => FIRST_FD + i;
  t.same(
    hello?.sockets.map(({ key, fds, isLent }) => ({ key, fds, isLent })),
    [
      { key: '[::]:80', fds: [at(0), at(1)], isLent: false },
      { key: 'unix:/run/web.sock', fds: [at(2)], isLent: true },
    ],
  );
  t.same(hello?.sockets[1]?.file, file, 'numbers of files keep all their digits');
  t.same(hello?.admin[0]?.fds, [at(3)]);
  t.same(hello?.changes, inheritance.changes);
});

void t.test('what another version adds is left out, and another protocol is none', async t => {
  const later = { ...message, mood: 'good', changes: [...inheritance.changes, { what: 'renamed' }, 7] };
  const hello = parseHello(JSON.stringify(later));
  t.same(hello?.changes, inheritance.changes);
  t.notOk(hello && 'mood' in hello);
  t.equal(parseHello(JSON.stringify({ ...message, protocol: 2 })), undefined);
  t.equal(parseHello('{"kind":'), undefined);
  t.equal(parseFromNewcomer({ kind: 'tired' }), undefined);
  t.equal(parseFromNewcomer(undefined), undefined);
});

void t.test('the newer one takes over when the older one lets go', async t => {
  const process = new FakeProcess();
  const predecessor = await meet(process);
  t.same(process.env, {}, 'no child of it takes itself for a successor');
  t.match(predecessor, { pid: 3 });
  t.same(predecessor?.fds, [5, 6, 7, 8]);
  const ready = { version: '0.2.0', sockets: ['[::]:80'], admin: [] };
  let isOver = false;
  const taking = predecessor?.ready(ready).then(() => (isOver = true));
  process.emit('message', { kind: 'another word' });
  await new Promise(setImmediate);
  t.same([process.sent, isOver], [[{ kind: 'ready', ...ready }], false]);
  process.emit('message', { kind: 'letGo' });
  await taking;
  t.notOk(process.connected);
});

void t.test('and when the older one dies, whenever that is', async t => {
  const later = new FakeProcess();
  const predecessor = await meet(later);
  const taking = predecessor?.ready({ version: '0', sockets: [], admin: [] });
  later.emit('disconnect');
  await taking;
  const before = new FakeProcess();
  before.connected = false;
  await (await meet(before))?.ready({ version: '0', sockets: [], admin: [] });
  t.same(before.sent, []);
});

void t.test('it says why it does not', async t => {
  const process = new FakeProcess();
  await (await meet(process))?.failed(['a', 'b']);
  t.same(process.sent, [{ kind: 'failed', lines: ['a', 'b'] }]);
  const strange = new FakeProcess();
  await t.rejects(meet(strange, JSON.stringify({ kind: 'hello', protocol: 99 })), /another protocol than 1/);
  t.match(strange.sent, [{ kind: 'failed', lines: [/another protocol/] }]);
});

void t.test('a process that was started in the usual way has none', async t => {
  const usual = new FakeProcess();
  Reflect.deleteProperty(usual.env, FROM);
  t.equal(await meet(usual), undefined);
  const leaked = new FakeProcess();
  Object.defineProperty(leaked, 'send', { value: undefined });
  t.equal(await meet(leaked), undefined, 'nor one that only has the variable');
  t.same(leaked.env, {});
});
