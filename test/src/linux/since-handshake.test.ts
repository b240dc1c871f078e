/** How long ago a client has connected, and what is said where the system does not say it. */
import t from 'tap';
import { TCP_INFO_LAST_DATA_SENT } from '../../../src/linux/abi.ts';
import type { Libc } from '../../../src/linux/libc.ts';
import { sinceHandshake } from '../../../src/linux/since-handshake.ts';

/** A system that answers with `bytes` of its structure, in which every number is 7. */
const answering = (bytes: number, result = 0): Pick<Libc, 'getsockopt'> => ({
  getsockopt: (_fd, _level, _option, value, length) => {
    new Uint32Array(value.buffer, value.byteOffset, value.length >> 2).fill(7);
    new DataView(length.buffer, length.byteOffset).setUint32(0, bytes, true);
    return result;
  },
});

void t.test('it is the time of the last sending, as the kernel counts it', async t => {
  t.equal(sinceHandshake(answering(TCP_INFO_LAST_DATA_SENT + 4), 3), 7);
});

void t.test('a shorter structure and an error say nothing', async t => {
  t.equal(sinceHandshake(answering(TCP_INFO_LAST_DATA_SENT), 3), undefined);
  t.equal(sinceHandshake(answering(TCP_INFO_LAST_DATA_SENT + 4, -1), 3), undefined);
});
