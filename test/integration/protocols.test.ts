/**
 * Protocols that are not HTTP, with their real clients and servers, through a real lb4 process.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { startLb4 } from '../harness/lb4-process.ts';
import { ended, find, freePort, runProgram, skipWithout } from '../harness/programs.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';

/** Waits until something accepts on a port; for servers that do not tell when they are ready. */
async function accepting(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const accepted = await new Promise<boolean>(resolve => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
    });
    if (accepted) return;
    await new Promise(resolve => setTimeout(resolve, 25));
  }
  throw new Error(`nothing accepts on port ${port}`);
}

void t.test(
  'redis-benchmark, pipelined, gets every answer',
  { skip: skipWithout('redis-server', 'redis-benchmark') },
  async t => {
    const port = await freePort();
    const redis = spawn(
      find('redis-server') ?? '',
      ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      { stdio: 'ignore', cwd: tmpdir() },
    );
    t.teardown(async () => {
      redis.kill('SIGKILL');
      await ended(redis);
    });
    await accepting(port);
    const lb4 = await startLb4(t, ['-b', `127.0.0.1:${port}`, '--pool-warm', '2', '--access-log']);

    const args = [
      '-h',
      lb4.host,
      '-p',
      `${lb4.port}`,
      '-n',
      '20000',
      '-c',
      '50',
      '-P',
      '16',
      '-t',
      'set,get,lpush',
      '--csv',
    ];
    const benchmark = await runProgram('redis-benchmark', args);
    t.equal(benchmark.code, 0, benchmark.stderr);
    for (const command of ['SET', 'GET', 'LPUSH'])
      t.match(benchmark.stdout, new RegExp(`"${command}","[1-9]`));

    const value = 'x'.repeat(1_000_000);
    const cli = ['-h', lb4.host, '-p', `${lb4.port}`];
    t.match((await runProgram('redis-cli', [...cli, '-x', 'SET', 'large'], { input: value })).stdout, 'OK');
    t.equal((await runProgram('redis-cli', [...cli, 'GET', 'large'])).stdout.trim().length, value.length);
    t.match((await runProgram('redis-cli', [...cli, 'LLEN', 'mylist'])).stdout, '20000');
    t.equal(await lb4.stop(), 0);
    const sessions = lb4.lines.filter(({ event }) => event === 'session');
    t.ok(sessions.length >= 153, 'every client had a session');
    t.ok(
      sessions.every(({ reason, by }) => reason === 'closed' || (reason === 'reset' && by === 'client')),
      'and ended it',
    );
  },
);

const SSH_SKIP = skipWithout('sshd', 'ssh', 'ssh-keygen') || (process.getuid?.() !== 0 && 'sshd needs root');

void t.test('a real ssh client logs in and copies 5 MB through it', { skip: SSH_SKIP }, async t => {
  const folder = temporaryFolder(t);
  const key = join(folder, 'key');
  await runProgram('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const authorized = join(folder, 'authorized_keys');
  writeFileSync(authorized, (await runProgram('cat', [`${key}.pub`])).stdout);
  const port = await freePort();
  const config = join(folder, 'sshd_config');
  writeFileSync(
    config,
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${key}`,
      `AuthorizedKeysFile ${authorized}`,
      'PermitRootLogin yes',
      'StrictModes no',
      'UsePAM no',
      `PidFile ${join(folder, 'pid')}`,
    ].join('\n'),
  );
  await runProgram('mkdir', ['-p', '/run/sshd']);
  const sshd = spawn(find('sshd') ?? '', ['-D', '-e', '-f', config], { stdio: 'ignore' });
  t.teardown(async () => {
    sshd.kill('SIGKILL');
    await ended(sshd);
  });
  await accepting(port);
  const lb4 = await startLb4(t, ['-b', `127.0.0.1:${port}`]);

  const options = [
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
    'BatchMode=yes',
    'LogLevel=ERROR',
  ];
  const ssh = [...options.flatMap(option => ['-o', option]), '-i', key, '-p', `${lb4.port}`];
  const login = `${userInfo().username}@${lb4.host}`;
  const hello = await runProgram('ssh', [...ssh, login, 'echo hello from $((6 * 7))']);
  t.equal(hello.stdout, 'hello from 42\n', hello.stderr);
  const sent = await runProgram('ssh', [...ssh, login, 'wc -c'], { input: 'y'.repeat(5_000_000) });
  t.equal(sent.stdout.trim(), '5000000', sent.stderr);
  t.equal(await lb4.stop(), 0);
});

void t.test('1,000 WebSocket clients each get their own echoes back', async t => {
  const servers = await Promise.all(
    ['a', 'b', 'c'].map(async () => {
      const server = new WebSocketServer({
        port: 0,
        host: '127.0.0.1',
        perMessageDeflate: false,
        backlog: 4_096,
      });
      server.on('connection', socket =>
        socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
      );
      await new Promise(resolve => server.once('listening', resolve));
      t.teardown(() => {
        for (const client of server.clients) client.terminate();
        server.close();
      });
      return server;
    }),
  );
  const backends = servers.map(server => {
    const address = server.address();
    return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  });
  const lb4 = await startLb4(t, ['-b', backends.join(','), '-s', 'leastconn']);

  const opened = await Promise.all(
    Array.from({ length: 1_000 }, async (_, id) => {
      const socket = new WebSocket(`ws://${lb4.address}/`, { perMessageDeflate: false });
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      return { id, socket };
    }),
  );
  t.same(
    servers.map(({ clients }) => clients.size).sort(),
    [333, 333, 334],
    'leastconn has spread the open ones evenly',
  );

  const wrong: string[] = [];
  await Promise.all(
    opened.map(
      ({ id, socket }) =>
        new Promise<void>(resolve => {
          const messages = ['short', 'x'.repeat(200), 'y'.repeat(20_000)].map(
            (text, i) => `${id}.${i} ${text}`,
          );
          let echoes = 0;
          socket.on('message', data => {
            const text = Buffer.isBuffer(data) ? data.toString() : '';
            if (text !== messages[echoes]) wrong.push(`client ${id} got ${text.slice(0, 20)}`);
            echoes += 1;
            if (echoes === messages.length) socket.close();
          });
          socket.once('close', () => resolve());
          for (const message of messages) socket.send(message);
        }),
    ),
  );
  t.same(wrong, []);
  t.equal(await lb4.stop(), 0, 'and nothing is left to drain');
});
