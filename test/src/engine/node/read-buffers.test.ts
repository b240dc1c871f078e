/** Lending large read buffers. */
import t from 'tap';

import { ReadBuffers } from '../../../../src/engine/node/read-buffers.ts';

void t.test('large buffers are lent up to a limit, and one given back is lent again', t => {
  const buffers = new ReadBuffers();
  const lent = Array.from({ length: 64 }, () => buffers.lend());
  t.equal(new Set(lent).size, 64);
  t.equal(buffers.lend(), undefined);
  buffers.giveBack(lent[0]!);
  t.equal(buffers.lend(), lent[0]);
  t.end();
});

void t.test('a dropped buffer makes room, but is never seen again', t => {
  const buffers = new ReadBuffers();
  const lent = Array.from({ length: 64 }, () => buffers.lend());
  buffers.drop();
  t.notOk(lent.includes(buffers.lend()));
  t.equal(buffers.lend(), undefined);
  t.end();
});
