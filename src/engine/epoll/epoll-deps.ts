/**
 * What the parts of one epoll engine share.
 */
import type { Room } from '../room.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { Descriptors } from './descriptors.ts';
import type { Libc } from '../../linux/libc.ts';
import type { PipePool } from './pipe-pool.ts';
import type { Reactor } from './reactor.ts';

export interface EpollDeps {
  readonly libc: Libc;
  readonly reactor: Reactor;
  readonly descriptors: Descriptors;
  readonly pipes: PipePool;
  /** One for all reads of the thread: what is read is sent, or copied aside, before the next read. */
  readonly readBuffer: Buffer;
  /** A short read is taken as proof that nothing more is there. False: each is followed by another read. */
  readonly trustsShortReads: boolean;
  /** Where `finish` takes a place for as long as it waits for the peer. */
  readonly room: Room;
  readonly setTimer: SetTimer;
  /** Milliseconds of a monotonic clock, updated now and then by its owner. */
  readonly clock: { readonly nowMs: number };
}
