/** Every preset against the servers of other protocols, which greet or answer with what they have. */
import t from 'tap';
import { PRESETS } from '../../../../src/control/health/presets.ts';
import { startBackend } from '../../../harness/backend.ts';
import type { Peer } from '../../../harness/peer.ts';
import { pause } from '../../../harness/until.ts';
import { probeOnce } from './probing.ts';

type Preset = keyof typeof PRESETS;

const HANDSHAKE = '\x0a8.0.36\x00\x08\x00\x00\x00abcdefgh\x00';

/** What other servers say to a client that has not spoken, or has spoken nonsense. */
const FOREIGN: Readonly<Record<string, string>> = {
  'IRC server': 'NOTICE AUTH :*** Looking up your hostname...\r\n',
  'newer IRC server': ':irc.test NOTICE * :*** Looking up your hostname...\r\n',
  'game server': 'GREETINGS, PROFESSOR FALKEN\r\n',
  'news server': '200 news.test InterNetNews ready\r\n',
  'POP server': '+OK POP3 ready\r\n',
  'IMAP server': '* OK [CAPABILITY IMAP4rev1] ready\r\n',
  'mail server': '220 mx.test ESMTP\r\n',
  'full mail server': '421 4.7.0 too many connections\r\n',
  'SSH server': 'SSH-2.0-OpenSSH_9.2\r\n',
  Redis: '+PONG\r\n',
  MySQL: `${String.fromCharCode(HANDSHAKE.length)}\x00\x00\x00${HANDSHAKE}`,
  'web server': 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n',
  memcached: 'ERROR\r\n',
  'TLS server': '\x15\x03\x01\x00\x02\x02\x32',
  'telnet server': '\xff\xfd\x18\xff\xfd\x20login: ',
  PostgreSQL: 'N',
  echo: '\x00\x00\x00\x08\x04\xd2\x16\x30',
};
const OWN: Readonly<Record<Preset, string>> = {
  redis: 'Redis',
  postgres: 'PostgreSQL',
  mysql: 'MySQL',
  smtp: 'mail server',
  ssh: 'SSH server',
};

void t.test(
  'no preset takes the server of another protocol for its own, in one piece or in many',
  async t => {
    /** At once, a byte at a time, or the first byte by itself. */
    const ways: Record<string, (said: string) => string[]> = {
      'in one piece': said => [said],
      'byte by byte': said => Array.from(said),
      'with a pause': said => [said.slice(0, 1), said.slice(1)].filter(part => part !== ''),
    };
    const verdicts = await Promise.all(
      Object.entries(ways).flatMap(([way, cut]) =>
        Object.entries(FOREIGN).map(async ([server, said]) => {
          const backend = await startBackend(t, peer => void speak(peer, cut(said), way === 'with a pause'));
          return Promise.all(
            (Object.keys(PRESETS) as Preset[]).map(async preset => {
              const result = await probeOnce(backend.address, { type: 'sendExpect', preset, interval: '2s' });
              return `${preset} ${server} ${way}: ${result.verdict}`;
            }),
          );
        }),
      ),
    );
    const passed = verdicts.flat().filter(each => each.endsWith('passed'));
    const expected = (Object.keys(PRESETS) as Preset[]).flatMap(preset =>
      Object.keys(ways).map(way => `${preset} ${OWN[preset]} ${way}: passed`),
    );
    t.same(passed.sort(), expected.sort());
  },
);

async function speak(peer: Peer, parts: readonly string[], isSlow: boolean): Promise<void> {
  for (const part of parts) {
    await peer.send(Buffer.from(part, 'latin1'));
    if (isSlow) await pause(20);
  }
  // A server that greets waits for a command; one whose client leaves does likewise.
  peer.socket.once('end', () => peer.halfClose());
}
