/** Reading the kernel's socket tables. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Socket } from 'node:net';
import { endianness } from 'node:os';
import t from 'tap';

import { readSendQueues, tcpRow } from '../../../../src/engine/node/proc-net-tcp.ts';

function socketBetween(localAddress: string, remoteAddress: string, remoteFamily: string): Socket {
  return Object.defineProperties(new Socket(), {
    localAddress: { value: localAddress },
    localPort: { value: 8080 },
    remoteAddress: { value: remoteAddress },
    remotePort: { value: 51000 },
    remoteFamily: { value: remoteFamily },
  });
}

void t.test('addresses are printed as the table prints them', { skip: endianness() === 'BE' }, t => {
  t.strictSame(tcpRow(socketBetween('127.0.0.1', '10.1.2.30', 'IPv4')), {
    table: 'tcp',
    key: '0100007F:1F90 1E02010A:C738',
  });
  t.strictSame(tcpRow(socketBetween('::ffff:127.0.0.1', '::1', 'IPv6')), {
    table: 'tcp6',
    key: '0000000000000000FFFF00000100007F:1F90 00000000000000000000000001000000:C738',
  });
  t.strictSame(tcpRow(socketBetween('2001:db8::7:abcd', 'fe80::1:2:3:4%eth0', 'IPv6')), {
    table: 'tcp6',
    key: 'B80D01200000000000000000CDAB0700:1F90 000080FE000000000200010004000300:C738',
  });
  t.end();
});

void t.test('a socket that has lost its peer stands nowhere', t => {
  t.equal(tcpRow(new Socket()), undefined);
  t.end();
});

void t.test('every line is read, across any boundary between reads, but none that is over', async t => {
  const line = (port: number, state: string, tx: number): string =>
    `   0: 0100007F:1F90 0100007F:${port.toString(16).padStart(4, '0')} ${state} ${tx
      .toString(16)
      .padStart(8, '0')}:00000000 00:00000000 00000000     0        0 12345 1 0000000000000000\n`;
  const heading = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n';
  const path = join(t.testdir(), 'tcp');
  const count = 2000;
  let table = heading;
  for (let port = 1; port <= count; port++) table += line(port, port % 2 === 0 ? '01' : '06', port * 3);
  writeFileSync(path, table);

  const seen: number[] = [];
  t.equal(await readSendQueues(path, (_key, unackedBytes) => seen.push(unackedBytes) > 0), count + 1);
  t.equal(seen.length, count / 2);
  t.strictSame(seen.slice(0, 3), [6, 12, 18]);
  t.equal(seen.at(-1), count * 3);

  const wanted = 100;
  const lines = await readSendQueues(path, (_key, unackedBytes) => unackedBytes !== wanted * 6);
  t.equal(lines, 2 * wanted + 1, 'and none behind the last one that is wanted');
});

void t.test('a table that is not there is a rejection', async t => {
  await t.rejects(
    readSendQueues(join(t.testdir(), 'none'), () => true),
    { code: 'ENOENT' },
  );
});
