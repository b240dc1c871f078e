import { spawn } from 'node:child_process';
import { connect } from 'node:net';
import { chownSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { PRESETS, type Dialogue } from '../../../../src/control/health/presets.ts';
import { startBackend, type Script } from '../../../harness/backend.ts';
import { ended, find, freePort, runProgram, skipWithout } from '../../../harness/programs.ts';
import { temporaryFolder } from '../../../harness/temporary-folder.ts';
import { until } from '../../../harness/until.ts';
import type { ProbeResult } from '../../../../src/control/health/probe.ts';
import { certificateFor } from './certificate.ts';
import { failedWith, PASSED, probeOnce } from './probing.ts';

type Preset = keyof typeof PRESETS;

/** What a probe with a preset makes of a backend that says this, whole or a byte at a time. */
async function verdict(t: Test, preset: Preset, said: string, interval: string): Promise<ProbeResult> {
  const speak: Script = peer => {
    const say = (): void => void peer.send(Buffer.from(said, 'latin1'));
    if ('send' in PRESETS[preset]) peer.socket.once('data', say);
    else say();
  };
  const backend = await startBackend(t, speak);
  return probeOnce(backend.address, { type: 'sendExpect', preset, interval });
}

const mysqlPacket = (payload: string): string => String.fromCharCode(payload.length, 0, 0, 0) + payload;
const pgError =
  'E\x00\x00\x00\x3bSFATAL\x00VFATAL\x00C57P03\x00Mthe database system is starting up\x00Fpostmaster.c\x00\x00';

const CASES: [Preset, name: string, said: string, expected: ProbeResult][] = [
  ['redis', 'that answers', '+PONG\r\n', PASSED],
  ['redis', 'that wants a password', '-NOAUTH Authentication required.\r\n', PASSED],
  ['redis', 'whose user may not ping', '-NOPERM this user has no permissions\r\n', PASSED],
  [
    'redis',
    'that is loading',
    '-LOADING Redis is loading the dataset in memory\r\n',
    failedWith('answered "LOADING Redis is loading the dataset in memory"'),
  ],
  ['redis', 'whose master is down', '-MASTERDOWN Link\r\n', failedWith('answered "MASTERDOWN Link"')],
  [
    'redis',
    'that is full',
    '-ERR max number of clients reached\r\n',
    failedWith('answered "ERR max number of clients reached"'),
  ],
  [
    'redis',
    'that is none',
    'HTTP/1.1 400 Bad Request\r\n',
    failedWith(String.raw`answered "HTTP/1.1 400 Bad Request\r\n"`),
  ],
  ['postgres', 'that refuses encryption', 'N', PASSED],
  ['postgres', 'that takes it', 'G', PASSED],
  [
    'postgres',
    'older than 12',
    'E\x00\x00\x00\x50SFATAL\x00Munsupported frontend protocol 1234.5680: server supports 1.0 to 3.0\x00\x00',
    PASSED,
  ],
  ['postgres', 'that is starting', pgError, failedWith('answered "the database system is starting up"')],
  [
    'postgres',
    'that cannot fork',
    'Ecould not fork new process for connection: Cannot allocate memory\n\x00',
    failedWith('answered "could not fork new process for connection: Cannot allocate …"'),
  ],
  ['postgres', 'that is none', '+PONG', failedWith('answered "+PONG"')],
  ['mysql', 'that greets', mysqlPacket('\x0a8.0.36\x00\x08\x00\x00\x00abcdefgh\x00'), PASSED],
  [
    'mysql',
    'that is full',
    mysqlPacket('\xff\x10\x04Too many connections'),
    failedWith('answered "Too many connections"'),
  ],
  [
    'mysql',
    'that has blocked us',
    mysqlPacket("\xffi\x04Host '10.0.0.1' is blocked because of many connection errors"),
    failedWith(`answered "Host '10.0.0.1' is blocked because of many connection errors"`),
  ],
  [
    'mysql',
    'of an unknown protocol',
    mysqlPacket('\x095.0\x00'),
    failedWith(String.raw`answered "\x05\x00\x00\x00\t5.0\x00"`),
  ],
  ['mysql', 'that is none', 'SSH-2.0-x\r\n', failedWith(String.raw`answered "SSH-2.0-x\r\n"`)],
  ['smtp', 'that greets', '220 mx.test ESMTP\r\n', PASSED],
  ['smtp', 'that greets in many lines', '220-mx.test\r\n220-no spam\r\n220 ESMTP\r\n', PASSED],
  [
    'smtp',
    'that has not finished',
    '220-mx.test\r\n',
    failedWith(String.raw`no more than "220-mx.test\r\n" within 100ms`),
  ],
  ['smtp', 'that is busy', '421 try later\r\n', failedWith('answered "421 try later"')],
  ['smtp', 'that gives up on the way', '220-a\r\n554 no\r\n', failedWith('answered "554 no"')],
  ['ssh', 'that greets', 'SSH-2.0-OpenSSH_9.2\r\n', PASSED],
  ['ssh', 'that speaks both', 'SSH-1.99-x\r\n', PASSED],
  ['ssh', 'with a banner', 'welcome\r\nSSH-2.0-x\r\n', PASSED],
  ['ssh', 'of the old version', 'SSH-1.5-x\r\n', failedWith('answered "SSH-1.5-x"')],
  ['ssh', 'without a name', 'SSH-2.0-\r\n', failedWith('answered "SSH-2.0-"')],
  ['redis', 'that says more than a pong', '+PONGO\r\n', failedWith('answered "PONGO"')],
  ['redis', 'that stops in the middle', '+PONG', failedWith('no more than "+PONG" within 100ms')],
  ['postgres', 'that goes on', 'Nx', failedWith('answered "Nx"')],
  [
    'mysql',
    'whose packet is none',
    mysqlPacket('\x0a8.0.36 and then nothing'),
    failedWith(String.raw`no more than "\x18\x00\x00\x00\n8.0.36 and then nothing" within 100ms`),
  ],
];

for (const [preset, name, said, expected] of CASES) {
  void t.test(`${preset}: a server ${name} ${expected.verdict}`, async t => {
    // Only what is waited for in vain need not be waited for long.
    const isInVain = expected.verdict === 'failed' && expected.reason.includes('within');
    t.same(await verdict(t, preset, said, isInVain ? '100ms' : '2s'), expected);
  });
}

void t.test('a PostgreSQL that does not close after one byte passes all the same', async t => {
  const backend = await startBackend(t, peer => peer.socket.once('data', () => void peer.send('N')));
  const preset = { type: 'sendExpect', preset: 'postgres' };
  t.same(await probeOnce(backend.address, { ...preset, interval: '2s' }), PASSED);
  t.same(await probeOnce(backend.address, { ...preset, interval: '100ms' }), PASSED);
});

void t.test('every preset is tested with a pass and a failure, and judges alike byte by byte', async t => {
  for (const preset of Object.keys(PRESETS) as Preset[]) {
    const verdicts = CASES.filter(([each]) => each === preset).map(([, , , result]) => result.verdict);
    t.ok(verdicts.includes('passed') && verdicts.includes('failed'), preset);
  }
  for (const [preset, name, said, { verdict: expected }] of CASES) {
    const dialogue: Dialogue = PRESETS[preset];
    const pieces = Array.from(said, (_, i) => said.slice(0, i + 1));
    // What has to be the whole answer is judged when it is.
    const first = (dialogue.isWhole === true ? pieces.slice(-1) : pieces)
      .map(part =>
        dialogue.fail?.test(part) === true ? 'failed' : dialogue.pass.test(part) ? 'passed' : undefined,
      )
      .find(result => result !== undefined);
    t.equal(first ?? 'failed', expected, `${preset} ${name}`);
  }
});

void t.test('smtp says QUIT and ssh its own name, each after the greeting', async t => {
  for (const [preset, greeting, bye] of [
    ['smtp', '220 mx.test\r\n', 'QUIT\r\n'],
    ['ssh', 'SSH-2.0-x\r\n', 'SSH-2.0-lb4\r\n'],
  ] as const) {
    const backend = await startBackend(t, peer => void peer.send(greeting));
    t.same(await probeOnce(backend.address, { type: 'sendExpect', preset }), PASSED);
    const peer = await backend.next();
    t.equal(await peer.untilEnded(), 'fin');
    t.equal(peer.text, bye);
  }
});

/** A real server; `log` is what it has written. */
async function startServer(t: Test, program: string, args: string[], port: number, uid?: number) {
  const child = spawn(find(program) ?? program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: tmpdir(),
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const server = { log: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (server.log += text));
  }
  t.teardown(async () => {
    child.kill('SIGKILL');
    await ended(child);
  });
  let isAccepting = false;
  for (let attempt = 0; attempt < 400 && !isAccepting; attempt++) {
    isAccepting = await new Promise<boolean>(resolve => {
      const socket = connect(port, '127.0.0.1', () => resolve(true));
      socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
    });
    if (!isAccepting) await new Promise(resolve => setTimeout(resolve, 25));
  }
  if (!isAccepting) throw new Error(`${program} does not accept: ${server.log}`);
  return server;
}

void t.test(
  'a real redis passes, with a password and without',
  { skip: skipWithout('redis-server') },
  async t => {
    for (const more of [[], ['--requirepass', 'secret']]) {
      const port = await freePort();
      await startServer(
        t,
        'redis-server',
        ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', ...more],
        port,
      );
      const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
      t.same(await probeOnce(address, { type: 'sendExpect', preset: 'redis' }), PASSED);
    }
  },
);

const SSH_SKIP = skipWithout('sshd', 'ssh-keygen') || (process.getuid?.() !== 0 && 'sshd needs root');

void t.test('a real sshd passes and logs no error', { skip: SSH_SKIP }, async t => {
  const folder = temporaryFolder(t);
  const key = join(folder, 'key');
  await runProgram('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  await runProgram('mkdir', ['-p', '/run/sshd']);
  const port = await freePort();
  const config = join(folder, 'sshd_config');
  writeFileSync(
    config,
    `Port ${port}\nListenAddress 127.0.0.1\nHostKey ${key}\nUsePAM no\nStrictModes no\nPidFile ${join(folder, 'pid')}\n`,
  );
  const server = await startServer(t, 'sshd', ['-D', '-e', '-f', config], port);
  const before = server.log.length;
  const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
  t.same(await probeOnce(address, { type: 'sendExpect', preset: 'ssh' }), PASSED);
  await until('sshd has logged it', () => /preauth/.test(server.log));
  t.match(server.log.slice(before), /Connection closed by 127\.0\.0\.1 port \d+ \[preauth\]/);
});

/** Debian keeps it beside the server, in a folder for each version. */
function findInitdb(): string | undefined {
  const versions = '/usr/lib/postgresql';
  const folders = existsSync(versions) ? readdirSync(versions).map(name => join(versions, name, 'bin')) : [];
  return find('initdb') ?? folders.map(folder => join(folder, 'initdb')).find(path => existsSync(path));
}

const INITDB = findInitdb();
/** PostgreSQL does not run as root. */
const UID = process.getuid?.() === 0 ? 65_534 : undefined;

void t.test(
  'a real PostgreSQL with TLS passes and logs nothing about it',
  { skip: (INITDB === undefined && 'this machine has no initdb') || skipWithout('postgres', 'openssl') },
  async t => {
    const { path, folder, key } = await certificateFor(t, 'IP:127.0.0.1');
    const data = join(folder, 'data');
    const keyPath = join(folder, 'key.pem');
    writeFileSync(keyPath, key, { mode: 0o600 });
    if (UID !== undefined) for (const each of [folder, keyPath, path]) chownSync(each, UID, UID);
    const init = spawn(INITDB ?? '', ['-D', data, '-A', 'trust', '--no-sync'], {
      stdio: 'ignore',
      cwd: folder,
      ...(UID === undefined ? {} : { uid: UID, gid: UID }),
    });
    t.equal((await ended(init)).code, 0);
    const port = await freePort();
    const settings = [
      ...['listen_addresses=127.0.0.1', `unix_socket_directories=${folder}`, 'fsync=off'],
      ...['ssl=on', `ssl_cert_file=${path}`, `ssl_key_file=${keyPath}`, 'log_error_verbosity=terse'],
    ];
    const args = ['-D', data, '-p', `${port}`, ...settings.flatMap(each => ['-c', each])];
    const server = await startServer(t, 'postgres', args, port, UID);
    await until('it is ready', () => server.log.includes('ready to accept connections'));
    const before = server.log.length;
    const address = { kind: 'tcp', host: '127.0.0.1', port } as const;
    t.same(await probeOnce(address, { type: 'sendExpect', preset: 'postgres' }), PASSED);
    const withTls = { type: 'sendExpect', sendHex: '00000008 04d2162f', expectPattern: '^S' };
    t.same(
      await probeOnce(address, withTls),
      PASSED,
      'TLS is on, and now comes the line that the preset avoids',
    );
    await until('it has logged', () => server.log.length > before);
    t.match(
      server.log.slice(before),
      /^[^\n]*could not accept SSL connection[^\n]*\n$/,
      'one line, for the second',
    );
  },
);
