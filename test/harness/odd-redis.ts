/**
 * What stands where Redis should: answers each command as it is told, rightly or not.
 *
 * Place: for answers that no Redis gives; what Redis does give is for redis-server.ts. It plays a single Redis, a Sentinel
 * and the only node of a Cluster at once.
 */
import { createServer, type Socket } from 'node:net';
import type { RedisConnection } from '../../src/control/mirror/redis-connection.ts';
import type { Teardown } from './teardown.ts';

export interface OddRedis {
  readonly port: number;
  /** Answers to commands by their first word, or to `any`; `eval` is EVALSHA, too. What is not here is answered rightly. */
  answers: Readonly<Record<string, Answer | undefined>>;
  /** Sends this without end, as fast as it is taken, to all that have asked `after`, now or later. */
  flood(after: string, bytes: string): void;
  /** How many bytes of it were sent. */
  readonly flooded: number;
  /** Over how it is reached: all commands of this kind go to it. */
  connection(kind: RedisConnection['topology']['kind']): RedisConnection;
}

export type Answer = string | Buffer;

/** To a command that is answered by nothing at all. */
export const SILENCE = '';

export async function startOddRedis(t: Teardown): Promise<OddRedis> {
  const sockets = new Set<Socket>();
  /** What each connection has asked last. */
  const asked = new WeakMap<Socket, string>();
  let flood: { after: string; bytes: string } | undefined;
  let flooded = 0;
  const server = createServer(socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      for (const words of commandsOf(data.toString('latin1'))) {
        const name = (words[0] ?? '').toLowerCase().replace('evalsha', 'eval');
        socket.write(odd.answers[name] ?? odd.answers['any'] ?? rightAnswer(name, words.slice(1), port));
        asked.set(socket, name);
        if (name === flood?.after) drown(socket, flood.bytes);
      }
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const drown = (socket: Socket, bytes: string): void => {
    // It drowns already.
    if (socket.listenerCount('drain') > 0) return;
    const many = Buffer.from(bytes.repeat(Math.ceil(65_536 / bytes.length)), 'latin1');
    const more = (): void => {
      let isTaken = true;
      while (isTaken && !socket.destroyed) {
        isTaken = socket.write(many);
        flooded += many.length;
      }
    };
    socket.on('drain', more);
    more();
  };
  const node = { host: '127.0.0.1', port };
  const odd: OddRedis = {
    port,
    answers: {},
    flood: (after, bytes) => {
      flood = { after, bytes };
      for (const socket of sockets) if (asked.get(socket) === after) drown(socket, bytes);
    },
    get flooded() {
      return flooded;
    },
    connection: kind => ({
      database: 0,
      topology:
        kind === 'single'
          ? { kind, node }
          : kind === 'cluster'
            ? { kind, nodes: [node] }
            : { kind, nodes: [node], master: 'shared' },
    }),
  };
  return odd;
}

/** The words of each command; that of one which comes in pieces is passed over, for scripts are long. */
function commandsOf(text: string): string[][] {
  const commands: string[][] = [];
  for (const command of text.split(/(?=\*\d+\r\n\$\d+\r\n[A-Za-z]+\r\n)/)) {
    if (/^\*\d+\r\n\$\d+\r\n[A-Za-z]+\r\n/.test(command)) {
      commands.push(command.split('\r\n').filter((_, i) => i % 2 === 0 && i > 0));
    }
  }
  return commands;
}

const bulk = (text: string | Buffer): string =>
  `$${Buffer.byteLength(text)}\r\n${text.toString('latin1')}\r\n`;
const list = (...items: string[]): string => `*${items.length}\r\n${items.join('')}`;

function rightAnswer(name: string, words: readonly string[], port: number): Answer {
  switch (name) {
    case 'hello':
      return `%1\r\n${bulk('proto')}:3\r\n`;
    case 'subscribe':
    case 'unsubscribe':
      return words.map((channel, i) => `>3\r\n${bulk(name)}${bulk(channel)}:${i + 1}\r\n`).join('');
    case 'ping':
      return '+PONG\r\n';
    case 'cluster':
      return list(list(':0\r\n', ':16383\r\n', list(bulk('127.0.0.1'), `:${port}\r\n`, bulk('id'))));
    case 'sentinel':
      return words[0] === 'sentinels' ? list() : list(bulk('127.0.0.1'), bulk(String(port)));
    case 'eval': {
      // The counts of one instance that has one session on x:1, as exchange.lua says them.
      const numbers = [1, 0, 0, 0, 0].map(number => `:${number}\r\n`);
      return Buffer.from(
        list(bulk('totals'), ...numbers, bulk('e'), bulk('\0\0\0\x01'), bulk('x:1\0'), list()),
        'latin1',
      );
    }
    default:
      return '+OK\r\n';
  }
}
