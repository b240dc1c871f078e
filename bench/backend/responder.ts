/**
 * The backends, as a process of their own: raw TCP, no HTTP parser, canned answers, one service per kind of load.
 *
 * Place: started by backend.ts; prints its ports as one line of JSON and ends when its stdin closes, so that it
 * cannot outlive the benchmark. Arguments: how many backends, then the services.
 * Services: `small`, `medium` and `bulk` answer every request on a kept connection, `once` answers one request and
 * closes (what ab expects without -k), `echo` returns what it gets. Each listens on as many ports as there are backends.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { BODY_BYTES, response } from '../load/messages.ts';

const REQUEST_END = [0x0d, 0x0a, 0x0d, 0x0a] as const;
const BACKLOG = 4096;

const [countArgument = '1', ...wanted] = process.argv.slice(2);
const count = Number(countArgument);
const services = {
  small: answering(response(BODY_BYTES.small, 'keep-alive'), false),
  medium: answering(response(BODY_BYTES.medium, 'keep-alive'), false),
  bulk: answering(response(BODY_BYTES.bulk, 'keep-alive'), false),
  once: answering(response(BODY_BYTES.small, 'close'), true),
  echo: (socket: Socket) => socket.on('data', chunk => socket.write(chunk)),
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

/** Answers each blank line that ends a request; the match is carried over from one chunk to the next. */
function answering(answer: Buffer, closes: boolean): (socket: Socket) => void {
  return socket => {
    let matched = 0;
    socket.on('data', chunk => {
      for (const byte of chunk) {
        // Only 13 10 13 10 is looked for, so after a mismatch a match can only start anew with this byte.
        matched = byte === REQUEST_END[matched] ? matched + 1 : byte === REQUEST_END[0] ? 1 : 0;
        if (matched < REQUEST_END.length) continue;
        matched = 0;
        if (closes) socket.end(answer);
        else socket.write(answer);
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
