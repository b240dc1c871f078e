/** Runs the engine suite over TLS: on both sides of each session, with peers that know nothing of it. */
import t, { type Test } from 'tap';
import { endingsContract } from '../../../contracts/engine/endings.ts';
import type { CreateEngine } from '../../../contracts/engine/fixture.ts';
import { paceContract } from '../../../contracts/engine/pace.ts';
import { peekContract } from '../../../contracts/engine/peek.ts';
import { prefaceContract } from '../../../contracts/engine/preface.ts';
import { relayContract } from '../../../contracts/engine/relay.ts';
import { resetsContract } from '../../../contracts/engine/resets.ts';
import { unownedContract } from '../../../contracts/engine/unowned.ts';
import '../../../harness/run-once.ts';
import { withoutOpenssl } from '../../../harness/tls-authority.ts';
import { throughTls } from './through-tls.ts';

/** Claims about what the system of a receiver has acknowledged: here that is the second engine, which holds more. */
const OF_ONE_HOP =
  /^a look at a deadline|^a reset that waits for a stalled reader|^a reader that goes on reading|^more than a backend takes at once/;

/** What carries TLS is of no account here. */
const OTHER_FAMILIES = /IPv6|unix/;

function without(t: Test): Test {
  const test = (name: string, ...rest: unknown[]): unknown =>
    OF_ONE_HOP.test(name) || OTHER_FAMILIES.test(name)
      ? undefined
      : (Reflect.get(t, 'test') as (...all: unknown[]) => unknown).call(t, name, ...rest);
  return new Proxy(t, { get: (of, key): unknown => (key === 'test' ? test : Reflect.get(of, key)) });
}

const createEngine: CreateEngine = options => throughTls(options, 'both');

for (const [part, contract] of Object.entries<(test: Test, create: CreateEngine) => void>({
  'watch, finish, reset': unownedContract,
  'peek, take': peekContract,
  relay: relayContract,
  pace: paceContract,
  endings: endingsContract,
  resets: resetsContract,
  preface: prefaceContract,
})) {
  void t.test(`TLS, ${part}`, { timeout: 80_000, skip: withoutOpenssl }, t => {
    contract(without(t), createEngine);
    t.end();
  });
}
