import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { holderOf } from '../../../src/linux/address-holder.ts';
import { parseAddress } from '../../../src/support/address.ts';
import { temporaryFolder } from '../../harness/admin.ts';

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
/** A row as the kernel writes it. */
const row = (local: string, state: string, uid: number, inode: number): string =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 ${uid}        0 ${inode} 1 0 100 0\n`;

interface Machine {
  readonly tcp?: string;
  readonly tcp6?: string;
  readonly unix?: string;
  /** By process: its command line and the inodes of its sockets; undefined: they are for root. */
  readonly processes?: Readonly<Record<number, readonly [string, readonly number[] | undefined]>>;
}

/** A /proc of a machine like this. */
function machine(t: Test, { tcp = '', tcp6 = '', unix = '', processes = {} }: Machine): string {
  const proc = temporaryFolder(t);
  mkdirSync(join(proc, 'net'));
  writeFileSync(join(proc, 'net/tcp'), HEAD + tcp);
  writeFileSync(join(proc, 'net/tcp6'), HEAD + tcp6);
  writeFileSync(join(proc, 'net/unix'), `Num RefCount Protocol Flags Type St Inode Path\n${unix}`);
  for (const [pid, [command, inodes]] of Object.entries(processes)) {
    mkdirSync(join(proc, pid));
    writeFileSync(join(proc, pid, 'cmdline'), command.replaceAll(' ', '\0'));
    if (inodes === undefined) continue;
    mkdirSync(join(proc, pid, 'fd'));
    symlinkSync('/dev/null', join(proc, pid, 'fd/0'));
    for (const inode of inodes) symlinkSync(`socket:[${inode}]`, join(proc, pid, 'fd', `${inode}`));
  }
  return proc;
}

function holder(proc: string, text: string): string | undefined {
  const here = { proc, pid: 42, uid: 1000 };
  // Only a listener's address may be without a host.
  if (text === ':80') return holderOf({ kind: 'tcp', host: '', port: 80 }, here);
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new Error(text);
  return holderOf(parsed.address, here);
}

const NGINX = { 7: ['/usr/sbin/nginx -g daemon', [70]], 8: ['nginx', [70]] } as const;
const ONE = '0100007F:0050';
const ALL = '00000000:0050';
const ONE_V6 = '00000000000000000000000001000000:0050';
const ALL_V6 = '00000000000000000000000000000000:0050';
const MAPPED = '0000000000000000FFFF00000100007F:0050';

void t.test('the process that listens on the address is named, the first of several', t => {
  const proc = machine(t, {
    tcp: row('0200007F:0050', '0A', 0, 69) + row(ONE, '0A', 0, 70),
    processes: NGINX,
  });
  t.equal(holder(proc, '127.0.0.1:80'), 'process 7 (nginx)');
  t.equal(holder(proc, '127.0.0.1:81'), undefined, 'not one at another port');
  t.equal(holder(proc, '127.0.0.3:80'), undefined, 'nor one at another address');
  t.end();
});

void t.test('all addresses include each of them, both ways', t => {
  const held = { processes: NGINX };
  const over = (local: string, text: string): string | undefined =>
    holder(machine(t, { ...held, [local.length > 20 ? 'tcp6' : 'tcp']: row(local, '0A', 0, 70) }), text);
  t.equal(over(ALL, '127.0.0.1:80'), 'process 7 (nginx), which listens on 0.0.0.0:80');
  t.equal(over(ALL_V6, '127.0.0.1:80'), 'process 7 (nginx), which listens on [::]:80');
  t.equal(over(ALL_V6, '[::1]:80'), 'process 7 (nginx), which listens on [::]:80');
  t.equal(over(ONE, '0.0.0.0:80'), 'process 7 (nginx), which listens on 127.0.0.1:80');
  t.equal(over(ONE, ':80'), 'process 7 (nginx), which listens on 127.0.0.1:80');
  t.equal(over(ONE_V6, ':80'), 'process 7 (nginx), which listens on [::1]:80');
  t.equal(over(ONE_V6, '[::]:80'), 'process 7 (nginx), which listens on [::1]:80');
  t.equal(over(ALL_V6, '[::]:80'), 'process 7 (nginx)');
  t.equal(over(MAPPED, '127.0.0.1:80'), 'process 7 (nginx)');
  t.equal(over(ONE, '[::1]:80'), undefined);
  t.equal(over(ONE_V6, '127.0.0.1:80'), undefined);
  t.equal(over(ONE, 'name.example:80'), 'process 7 (nginx), which listens on 127.0.0.1:80');
  t.end();
});

void t.test('a connection from the port is named where none listens there', t => {
  const connected = row(ONE, '01', 0, 71);
  const processes = { ...NGINX, 6: ['psql', [71]] } as const;
  const proc = machine(t, { tcp: connected, processes });
  t.equal(holder(proc, '127.0.0.1:80'), 'process 6 (psql), which has a connection from 127.0.0.1:80');
  const both = machine(t, { tcp: connected + row(ALL, '0A', 0, 70), processes: NGINX });
  t.equal(holder(both, '127.0.0.1:80'), 'process 7 (nginx), which listens on 0.0.0.0:80');
  const clients = [60, 61, 62, 63, 80, 81, 82, 83];
  const served = clients.map(inode => row(ONE, '01', 0, inode)).join('');
  const serving = { 7: ['nginx', [...clients, 70]] } as const;
  const own = machine(t, { tcp: served + row(ONE, '0A', 0, 70), processes: serving });
  t.equal(holder(own, '127.0.0.1:80'), 'process 7 (nginx)', 'a client that it serves is not the reason');
  const older = machine(t, { tcp: connected + row(ONE, '0A', 0, 70), processes });
  t.equal(holder(older, '127.0.0.1:80'), 'process 7 (nginx)', 'nor is a process with a lower number');
  const hidden = machine(t, { tcp: connected + row(ONE, '0A', 33, 72), processes });
  t.equal(holder(hidden, '127.0.0.1:80'), 'a process of another user (uid 33)', 'nor is one that is seen');
  const over = machine(t, { tcp: row(ONE, '06', 0, 0) });
  t.equal(holder(over, '127.0.0.1:80'), undefined, 'one in TIME_WAIT belongs to no process');
  t.end();
});

void t.test('where the process may not be looked at its user is named', t => {
  const processes = { 7: ['nginx', undefined] } as const;
  const tcp = row(ONE, '0A', 33, 70);
  t.equal(holder(machine(t, { tcp, processes }), '127.0.0.1:80'), 'a process of another user (uid 33)');
  const own = machine(t, { tcp: row(ALL, '0A', 1000, 70) });
  t.equal(
    holder(own, '127.0.0.1:80'),
    'a process that cannot be seen from here (uid 1000), which listens on 0.0.0.0:80',
  );
  t.end();
});

void t.test('unix sockets are found by their path, abstract ones by their name', t => {
  const unix = [
    '0000: 00000003 00000000 00000000 0001 03 72 /run/web.sock',
    '0000: 00000002 00000000 00010000 0001 01 70 /run/web.sock',
    '0000: 00000002 00000000 00010000 0001 01 73 @web with a space',
    '0000: 00000002 00000000 00010000 0001 01    75 /run/two  spaces.sock',
    '0000: 00000003 00000000 00000000 0001 03 74',
    '',
  ].join('\n');
  const processes = {
    ...NGINX,
    6: ['psql', [72]],
    9: ['dovecot', [75]],
    42: ['node /usr/bin/lb4 -c x', [73]],
  } as const;
  const proc = machine(t, { unix, processes });
  t.equal(holder(proc, 'unix:/run/web.sock'), 'process 7 (nginx)');
  t.equal(holder(proc, 'unix:@web with a space'), 'this process itself');
  t.equal(holder(proc, 'unix:/run/two  spaces.sock'), 'process 9 (dovecot)');
  t.equal(holder(proc, 'unix:/run/other.sock'), undefined);
  t.equal(holder(machine(t, { unix }), 'unix:/run/web.sock'), 'a process that lb4 may not look at');
  t.end();
});

void t.test(
  'a machine that shows nothing gives no answer, and one that shows too much none that takes long',
  t => {
    t.equal(holder('/nowhere', '127.0.0.1:80'), undefined);
    t.equal(holder('/nowhere', 'unix:/run/web.sock'), undefined);
    const many = row(ONE, '0A', 0, 70) + row('0200007F:0051', '01', 0, 1).repeat(100_000);
    t.equal(holder(machine(t, { tcp: many, processes: NGINX }), '127.0.0.1:80'), 'process 7 (nginx)');
    t.end();
  },
);
