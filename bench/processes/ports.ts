/**
 * Free ports on 127.0.0.1, and the moment when a started balancer accepts on its own.
 */
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from './children.ts';

const READY_WITHIN_MS = 10_000;
const RETRY_EVERY_MS = 5;

/** A port that was free a moment ago: bound as port 0, then closed. Connecting to none, it leaves no TIME_WAIT. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}

/** Resolves when 127.0.0.1:port accepts; rejects when the process ends first or ten seconds have passed. */
export async function waitUntilAccepting(port: number, child: Child): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  while (performance.now() < deadline) {
    if (child.result !== undefined) {
      throw new Error(`ended with ${String(child.result.code)} at start: ${child.result.stderr.trim()}`);
    }
    if (await accepts(port)) return;
    await sleep(RETRY_EVERY_MS);
  }
  throw new Error(`did not accept on port ${String(port)} within ${String(READY_WITHIN_MS / 1000)} s`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host: '127.0.0.1', port });
    // With nobody listening, loopback may connect a socket to itself if it happened to get this very port.
    socket.once('connect', () => {
      const self = socket.localPort === port;
      socket.destroy();
      resolve(!self);
    });
    socket.once('error', () => resolve(false));
  });
}
