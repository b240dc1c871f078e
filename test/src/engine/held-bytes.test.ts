/** Bytes that were read before a relay has them. */
import t from 'tap';

import { HeldBytes, takeFrom } from '../../../src/engine/held-bytes.ts';

void t.test('whatever is added and dropped, the rest is in order, and what was shown stays', async t => {
  const all = Buffer.from(Array.from({ length: 2000 }, (_, i) => i % 251));
  for (const step of [1, 2, 7, 100, 999]) {
    const held = new HeldBytes(all.subarray(0, step));
    const shown: { readonly view: Buffer; readonly copy: Buffer }[] = [];
    let dropped = 0;
    for (let end = step; end + step <= all.length; end += step) {
      held.append(all.subarray(end, end + step));
      const view = held.show();
      if (!view.equals(all.subarray(dropped, end + step))) t.fail(`wrong bytes after ${end}`);
      shown.push({ view, copy: Buffer.from(view) });
      const count = (end * 7) % (held.length + 1);
      held.drop(count);
      dropped += count;
    }
    t.ok(
      shown.every(({ view, copy }) => view.equals(copy)),
      `in steps of ${step}`,
    );
  }
});

void t.test(
  'bytes that come one by one are copied a few times each, not all again with each byte',
  async t => {
    const held = new HeldBytes(Buffer.from('x'));
    const memories = new Set<ArrayBufferLike>();
    for (let i = 0; i < 100_000; i++) {
      held.append(Buffer.from('x'));
      memories.add(held.show().buffer);
    }
    t.ok(memories.size < 20, `${memories.size}`);
  },
);

void t.test('no more is shown than asked for, and no more dropped than there is', async t => {
  const held = new HeldBytes(Buffer.from('hello'));
  t.equal(held.show(4).toString(), 'hell');
  t.equal(held.show(6).toString(), 'hello');
  for (const count of [6, -1, 0.5, NaN]) t.throws(() => held.drop(count), { code: 'LB4_WRONG_STATE' });
  t.equal(takeFrom(held, 4)?.show().toString(), 'o');
  t.equal(takeFrom(held, 1), undefined);
  t.equal(takeFrom(undefined, 0), undefined);
  t.throws(() => takeFrom(undefined, 1), { code: 'LB4_WRONG_STATE' });
});
