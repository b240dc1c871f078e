/** What a session asks of its relay, by where its connection is from and what the backend gets first. */
import t from 'tap';
import { relayOptions } from '../../../../src/data/session/relay-options.ts';

void t.test('a connection is kept where the upstream wants it, and one that was kept says so', async t => {
  t.same(relayOptions(undefined, false, undefined), {});
  t.same(relayOptions('new', true, undefined), { reuse: true });
  t.same(relayOptions('reused', true, undefined), { reuse: true, reused: true });
  t.equal(relayOptions('new', true, undefined), relayOptions('new', true, undefined), 'none is made anew');
});

void t.test('a connection that got a header serves one session', async t => {
  const preface = Uint8Array.of(1);
  t.same(relayOptions('new', true, preface), { preface });
});
