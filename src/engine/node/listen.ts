/**
 * `server.listen` as a promise that rejects with why it failed.
 */
import type { Server } from 'node:net';

import { LISTEN_BACKLOG } from '../../linux/listen-failure.ts';

export async function listen(
  server: Server,
  where:
    | { readonly host: string; readonly port: number; readonly ipv6Only?: boolean }
    | { readonly path: string }
    | { readonly fd: number },
  backlog = LISTEN_BACKLOG,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onError = (error: Error): void => {
      server.off('listening', onListening);
      reject(error);
    };
    const onListening = (): void => {
      server.off('error', onError);
      resolve();
    };
    server.once('error', onError);
    server.once('listening', onListening);
    // With a descriptor Node reads the argument, otherwise the key.
    server.listen({ ...where, backlog }, backlog);
  });
}
