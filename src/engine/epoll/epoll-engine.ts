/** Stand-in until the engine is merged; never called, because `epollSupport` says that it cannot be had. */
import { Lb4Error } from '../../errors.ts';
import type { Engine } from '../engine.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { Libc } from './libc.ts';

export interface EpollEngineDeps {
  readonly libc: Libc;
  readonly clock: { readonly nowMs: number };
  readonly wakeFd?: number;
  readonly owners?: Uint8Array;
  readonly ownerTag?: number;
  readonly setTimer?: SetTimer;
  readonly waitingLimit?: number;
}

export function createEpollEngine({ ownerTag = 0 }: EpollEngineDeps): Engine {
  throw new Lb4Error('LB4_WRONG_STATE', `the epoll engine is not part of this build (worker ${ownerTag})`);
}
