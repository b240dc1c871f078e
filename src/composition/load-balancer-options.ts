/** What a program may pass to `createLoadBalancer` beside the configuration. */
import type { Inheritance } from '../model/inheritance.ts';
import type { PassedSocket } from '../support/socket.ts';

export interface LoadBalancerOptions {
  /** Where a strategy's relative path starts from; the working directory unless given. */
  readonly baseDir?: string;
  /** @internal For tests: things that can have a slot in shared memory at a time. */
  readonly slots?: number;
  /** @internal For the command line: listening sockets that were passed to the process, to be taken over. */
  readonly passed?: readonly PassedSocket[];
  /** @internal For the command line: what the process that this one replaces leaves to it. */
  readonly inheritance?: Inheritance | undefined;
}
