/** Names to addresses, over real sockets and a name server that does what the test says. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Names, type NamesOptions } from '../../../src/names/names.ts';
import { serversByName, startNameServer, type Answering } from '../../harness/name-server.ts';
import { NameServers } from '../../../src/names/name-servers.ts';
import { until } from '../../harness/until.ts';

/** For what is never answered: what takes seconds takes as many twentieths. */
const SPEED = 20;
const FAST: NamesOptions = {
  setTimer: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs / SPEED).unref();
    return () => clearTimeout(timer);
  },
};

/** `Names` over files of its own; `servers` are the name servers by the address that resolv.conf has for them. */
function create(
  t: Test,
  files: { hosts?: string; resolv?: string; nsswitch?: string } = {},
  servers: Readonly<Record<string, string>> = {},
  options: NamesOptions = {},
) {
  const folder = t.testdir({});
  const path = (name: string): string => join(folder, name);
  const write = (name: string, text: string): void => writeFileSync(path(name), text);
  write('hosts', files.hosts ?? '');
  write(
    'resolv',
    files.resolv ??
      Object.keys(servers)
        .map(server => `nameserver ${server}\n`)
        .join(''),
  );
  write('nsswitch', files.nsswitch ?? 'hosts: files dns');
  const names = new Names({
    hosts: path('hosts'),
    resolvConf: path('resolv'),
    nsswitch: path('nsswitch'),
    createServer: serversByName(servers),
    interfaces: () => ({}),
    ...options,
  });
  t.teardown(() => names.close());
  const lookup = async (host: string): Promise<readonly string[] | string> => {
    try {
      return (await names.lookup(host)).addresses;
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : String(error);
    }
  };
  return { names, lookup, write, path };
}

const NXDOMAIN = { rcode: 'NXDOMAIN' } as const;

/** Answers with the addresses of each name, and that there are no others. */
function zone(names: Readonly<Record<string, readonly string[]>>): Answering {
  return name => {
    const addresses = names[name];
    return addresses === undefined ? NXDOMAIN : { addresses };
  };
}

void t.test('an address is one already, and localhost is this machine', async t => {
  const { lookup } = create(t, { hosts: '127.0.0.1 localhost\n10.0.0.7 own.localhost\n' });
  t.same(await lookup('10.0.0.1'), ['10.0.0.1']);
  t.same(await lookup('fe80::1%Eth0'), ['fe80::1%Eth0']);
  t.same(await lookup('localhost'), ['127.0.0.1', '::1'], 'both, whatever the hosts file has');
  t.same(await lookup('app.LOCALHOST.'), ['127.0.0.1', '::1']);
  t.same(await lookup('own.localhost'), ['10.0.0.7']);
});

void t.test('the hosts file comes first, and is read again when it changes, goes or comes', async t => {
  const server = await startNameServer(t, zone({ 'db.test': ['10.0.0.9'] }));
  const { lookup, write, path } = create(t, { hosts: '10.0.0.1 db.test\n' }, { '10.0.0.53': server.address });
  t.same(await lookup('DB.test'), ['10.0.0.1']);
  t.same(server.questions, []);
  write('hosts', '10.0.0.2 db.test\nfd00::2 db.test\n');
  t.same(await lookup('db.test'), ['10.0.0.2', 'fd00::2']);
  rmSync(path('hosts'));
  t.same(await lookup('db.test'), ['10.0.0.9']);
  write('hosts', '10.0.0.3 db.test\n');
  t.same(await lookup('db.test'), ['10.0.0.3']);
});

void t.test('IPv4 and IPv6 together, over aliases, and over TCP what is too long for UDP', async t => {
  const server = await startNameServer(t, name => ({
    aliases: ['one.alias.test', 'two.alias.test'],
    addresses: ['fd00::1', '10.0.0.1', '10.0.0.2'],
    truncated: name === 'long.test',
  }));
  const { lookup } = create(t, {}, { '10.0.0.53': server.address });
  t.same(await lookup('app.test'), ['10.0.0.1', '10.0.0.2', 'fd00::1']);
  t.same(await lookup('long.test'), ['10.0.0.1', '10.0.0.2', 'fd00::1']);
});

void t.test('a machine with IPv6 alone tries that first', async t => {
  const v6 = {
    family: 'IPv6',
    address: '2001:db8::1',
    internal: false,
    netmask: '',
    mac: '',
    cidr: null,
    scopeid: 0,
  } as const;
  const server = await startNameServer(t, zone({ 'app.test': ['10.0.0.1', 'fd00::1'] }));
  const { lookup } = create(t, {}, { '10.0.0.53': server.address }, { interfaces: () => ({ eth0: [v6] }) });
  t.same(await lookup('app.test'), ['fd00::1', '10.0.0.1']);
});

void t.test('short names are looked for in the domains of resolv.conf', async t => {
  const server = await startNameServer(
    t,
    zone({
      'db.prod.svc.test': ['10.0.0.1'],
      'db.other.svc.test': ['10.0.0.2'],
      'www.example.test': ['10.0.0.3'],
    }),
  );
  const resolv = 'nameserver 10.0.0.53\nsearch prod.svc.test svc.test\noptions ndots:5\n';
  const { lookup } = create(t, { resolv }, { '10.0.0.53': server.address });
  t.same(await lookup('db'), ['10.0.0.1']);
  t.same(await lookup('db.other'), ['10.0.0.2']);
  t.same(await lookup('www.example.test'), ['10.0.0.3']);
  t.same(await lookup('db.'), 'ENOTFOUND');
});

void t.test('a domain whose server is silent ends the search: its name could be meant', async t => {
  const server = await startNameServer(t, name =>
    name === 'db.a.test' ? undefined : { addresses: ['10.0.0.2'] },
  );
  const { lookup } = create(
    t,
    { resolv: 'nameserver 10.0.0.53\nsearch a.test b.test\n' },
    { '10.0.0.53': server.address },
    FAST,
  );
  t.equal(await lookup('db'), 'ETIMEOUT');
});

void t.test('why a name has no address', async t => {
  const server = await startNameServer(t, name => {
    if (name === 'empty.test') return {};
    return name === 'broken.test' ? { rcode: 'SERVFAIL' } : NXDOMAIN;
  });
  const { lookup, names } = create(t, {}, { '10.0.0.53': server.address });
  t.equal(await lookup('none.test'), 'ENOTFOUND');
  t.equal(await lookup('empty.test'), 'ENODATA');
  t.equal(await lookup('broken.test'), 'ESERVFAIL');
  await t.rejects(names.lookup('none.test'), {
    message: 'name none.test cannot be resolved (ENOTFOUND, there is no such name)',
  });
});

for (const rcode of ['SERVFAIL', 'REFUSED', 'NOTIMP'] as const) {
  void t.test(`a name server that answers ${rcode} is passed over for the next one`, async t => {
    const bad = await startNameServer(t, () => ({ rcode }));
    const good = await startNameServer(t, zone({ 'app.test': ['10.0.0.1'] }));
    const { lookup } = create(t, {}, { '10.0.0.53': bad.address, '10.0.0.54': good.address });
    t.same(await lookup('app.test'), ['10.0.0.1']);
  });
}

void t.test(
  'a name server that is silent gets company after a while, and is asked last from then on',
  async t => {
    const silent = await startNameServer(t);
    const good = await startNameServer(t, zone({ 'app.test': ['10.0.0.1'] }));
    const { lookup } = create(t, {}, { '10.0.0.53': silent.address, '10.0.0.54': good.address }, FAST);
    t.same(await lookup('app.test'), ['10.0.0.1']);
    const before = silent.questions.length;
    t.same(await lookup('app.test'), ['10.0.0.1']);
    t.equal(silent.questions.length, before);
  },
);

void t.test(
  'one that nobody answers for ends as ETIMEOUT; where no server listens, as ECONNREFUSED',
  async t => {
    const silent = await startNameServer(t);
    t.equal(await create(t, {}, { '10.0.0.53': silent.address }, FAST).lookup('app.test'), 'ETIMEOUT');
    t.equal(await create(t, {}, { '10.0.0.53': '127.0.0.1:1' }).lookup('app.test'), 'ECONNREFUSED');
  },
);

void t.test(
  'a name server that drops questions for one family holds up the other for a moment only',
  async t => {
    const server = await startNameServer(t, (_, type) =>
      type === 'A' ? { addresses: ['10.0.0.1'] } : undefined,
    );
    const begin = performance.now();
    const { names } = create(t, {}, { '10.0.0.53': server.address });
    t.same(await names.lookup('app.test'), { addresses: ['10.0.0.1'], unknown: 6 });
    t.ok(performance.now() - begin < 3_000, 'not the five seconds of a timeout');
    server.answering = zone({ 'app.test': ['10.0.0.1'] });
    t.same(await names.lookup('app.test'), { addresses: ['10.0.0.1'], unknown: undefined });
  },
);

void t.test('a thousand names that hang delay no other one', async t => {
  const server = await startNameServer(t, name =>
    name === 'good.test' ? { addresses: ['10.0.0.1'] } : undefined,
  );
  const { lookup } = create(t, {}, { '10.0.0.53': server.address });
  const hanging = Array.from({ length: 1_000 }, (_, i) => lookup(`hangs-${i}.test`));
  const begin = performance.now();
  t.same(await lookup('good.test'), ['10.0.0.1']);
  const tookMs = performance.now() - begin;
  t.ok(tookMs < 3_500, `${Math.round(tookMs)} ms`);
  t.equal(await Promise.race([...hanging, Promise.resolve('none')]), 'none', 'all of them hang still');
});

void t.test('the same name is asked for once at a time', async t => {
  const server = await startNameServer(t, zone({ 'app.test': ['10.0.0.1'] }));
  const { lookup } = create(t, {}, { '10.0.0.53': server.address });
  t.same(await Promise.all([lookup('app.test'), lookup('APP.test')]), [['10.0.0.1'], ['10.0.0.1']]);
  t.equal(server.questions.length, 2);
});

void t.test('a resolv.conf that changes is followed, also by what hangs at the old name servers', async t => {
  const silent = await startNameServer(t);
  const good = await startNameServer(t, zone({ 'app.test': ['10.0.0.1'], 'db.new.test': ['10.0.0.2'] }));
  const servers = { '10.0.0.53': silent.address, '10.0.0.54': good.address };
  const { lookup, write } = create(t, { resolv: 'nameserver 10.0.0.53\n' }, servers);
  const hanging = lookup('app.test');
  await until('it is asked for', () => silent.questions.length > 0);
  write('resolv', 'nameserver 10.0.0.54\nsearch new.test\n');
  t.same(await lookup('db'), ['10.0.0.2']);
  t.same(await hanging, ['10.0.0.1']);
});

void t.test('closing ends every lookup at once, and those to come', async t => {
  const silent = await startNameServer(t);
  const { lookup, names } = create(t, {}, { '10.0.0.53': silent.address });
  const hanging = Array.from({ length: 150 }, (_, i) => lookup(`hangs-${i}.test`));
  await until('they are asked for', () => silent.questions.length > 0);
  const begin = performance.now();
  names.close();
  t.same(new Set(await Promise.all(hanging)), new Set(['ECANCELLED']));
  t.ok(performance.now() - begin < 500);
  t.equal(await lookup('another.test'), 'ECANCELLED');
});

void t.test(
  'nothing is asked after a cancel, although what was asked before does not know of it',
  async t => {
    const timers: { readonly callback: () => void; readonly delayMs: number }[] = [];
    let asked = 0;
    const question = (): Promise<string[]> => {
      asked += 1;
      return new Promise(() => undefined);
    };
    const servers = new NameServers(['10.0.0.53'], {
      createServer: () => ({ resolve4: question, resolve6: question, cancel: () => undefined }),
      setTimer: (callback, delayMs) => {
        timers.push({ callback, delayMs });
        return () => undefined;
      },
    });
    /** The time has come to ask again: of all timers that one is due first. */
    const askAgain = (): void =>
      timers
        .splice(0)
        .sort((a, b) => a.delayMs - b.delayMs)[0]
        ?.callback();
    void servers.ask('app.test', 4);
    askAgain();
    t.equal(asked, 2, 'it asks again while nobody has cancelled');
    servers.cancel();
    askAgain();
    t.equal(asked, 2);
  },
);
