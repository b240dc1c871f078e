/**
 * Clients that open a session, see one byte echoed through it (or not), and then keep silent.
 *
 * The echo proves that the session reached a backend: a balancer that only accepted would look thrifty.
 */
import { connect, type Socket } from 'node:net';

const WITHIN_MS = 10_000;

/** Opens `count` sessions, `concurrency` at a time, each with one byte echoed; rejects if one fails. */
export function openSessions(port: number, count: number, concurrency: number): Promise<Socket[]> {
  return openEach(count, concurrency, () => openSession(port, true));
}

/** Opens `count` sessions without a byte in them, `concurrency` at a time; rejects if one fails. */
export function openSilent(port: number, count: number, concurrency: number): Promise<Socket[]> {
  return openEach(count, concurrency, () => openSession(port, false));
}

async function openEach(count: number, concurrency: number, open: () => Promise<Socket>): Promise<Socket[]> {
  const sockets: Socket[] = [];
  let started = 0;
  const worker = async (): Promise<void> => {
    while (started < count) {
      started++;
      sockets.push(await open());
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, worker));
  } catch (error) {
    await closeSessions(sockets);
    throw error;
  }
  return sockets;
}

/** Ends the sessions in order and resolves when all are closed. */
export async function closeSessions(sockets: readonly Socket[]): Promise<void> {
  const closed = sockets.map(
    socket =>
      new Promise<void>(resolve => {
        if (socket.closed) resolve();
        else socket.once('close', () => resolve());
      }),
  );
  for (const socket of sockets) socket.end().resume();
  const timer = setTimeout(() => sockets.forEach(socket => socket.destroy()), WITHIN_MS);
  await Promise.all(closed);
  clearTimeout(timer);
}

function openSession(port: number, withEcho: boolean): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const fail = (reason: string): void => {
      socket.destroy();
      reject(new Error(`an idle session could not be opened: ${reason}`));
    };
    socket.setTimeout(WITHIN_MS, () => fail('no echo'));
    socket.on('error', error => fail(error.message));
    socket.once('end', () => fail('closed'));
    const succeed = (): void => {
      socket.setTimeout(0).removeAllListeners('end');
      resolve(socket);
    };
    if (withEcho) socket.once('connect', () => socket.write('x')).once('data', succeed);
    else socket.once('connect', succeed);
  });
}
