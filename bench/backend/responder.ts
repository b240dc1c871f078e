/**
 * The backends, as a process of their own: raw TCP, no HTTP parser, canned answers, one service per kind of load.
 *
 * Place: started by backend.ts; prints its ports as one line of JSON and ends when its stdin closes, so that it
 * cannot outlive the benchmark. Arguments: how many backends, then the services.
 * Services: `small`, `medium` and `bulk` answer every request on a kept connection, `once` answers one request and
 * closes (what ab expects without -k), `echo` returns what it gets,
 * `mixed` answers as `small` or as `bulk`, as the first request on a connection asks. Each listens on as many ports as there are backends.
 */
import { fork } from 'node:child_process';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { BODY_BYTES, BULK_REQUEST, response } from '../load/messages.ts';
import { answering } from './answering.ts';

const BACKLOG = 4096;

const [countArgument = '1', ...wanted] = process.argv.slice(2);
const count = Number(countArgument);
const services = {
  small: answering(response(BODY_BYTES.small, 'keep-alive'), false),
  medium: answering(response(BODY_BYTES.medium, 'keep-alive'), false),
  bulk: answering(response(BODY_BYTES.bulk, 'keep-alive'), false),
  once: answering(response(BODY_BYTES.small, 'close'), true),
  echo: (socket: Socket) => socket.on('data', chunk => socket.write(chunk)),
  ...(wanted.includes('mixed') && { mixed: mixed() }),
};
const ports = Object.fromEntries(
  await Promise.all(
    Object.entries(services)
      .filter(([name]) => wanted.includes(name))
      .map(async ([name, serve]) => [
        name,
        await Promise.all(Array.from({ length: count }, () => listen(serve))),
      ]),
  ),
) as unknown;
process.stdout.write(`${JSON.stringify(ports)}\n`);
process.stdin.resume().once('close', () => process.exit(0));

/**
 * Small requests are answered here. A connection whose first request asks for bulk goes to a process of its own: it may
 * be at work for long stretches, and small requests must not wait for it.
 */
function mixed(): (socket: Socket) => void {
  const bulk = fork(fileURLToPath(new URL('./bulk-process.js', import.meta.url)));
  const serveSmall = answering(response(BODY_BYTES.small, 'keep-alive'), false);
  return socket => {
    socket.once('readable', () => {
      const first: unknown = socket.read();
      if (!Buffer.isBuffer(first)) return;
      if (first.equals(BULK_REQUEST)) bulk.send('bulk', socket);
      else {
        serveSmall(socket);
        socket.unshift(first);
      }
    });
  };
}

function listen(serve: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer({ noDelay: true }, socket => {
    // Clients that leave with a reset are part of the load; the socket closes by itself.
    socket.on('error', () => undefined);
    serve(socket);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0, backlog: BACKLOG }, () => {
      // A TCP server that listens has an AddressInfo; string and null are for pipes and closed servers.
      resolve((server.address() as AddressInfo).port);
    });
  });
}
