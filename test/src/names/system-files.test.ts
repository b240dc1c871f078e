/** What hosts, resolv.conf and nsswitch.conf say. */
import t from 'tap';
import { candidates } from '../../../src/names/dns-lookup.ts';
import { parseHosts, parseOtherSources, parseResolvConf } from '../../../src/names/system-files.ts';

void t.test('a hosts file: any spelling of a name, all its addresses, and nothing that is none', t => {
  const hosts = parseHosts(`
# 10.0.0.9 commented
10.0.0.1\tDB.internal db   # the first
10.0.0.2 db.internal.
10.0.0.1 db
fd00::1  db
fe80::1%eth0 router
not-an-address db
10.0.0.3
`);
  t.same(hosts.get('db'), ['10.0.0.1', 'fd00::1']);
  t.same(hosts.get('db.internal'), ['10.0.0.1', '10.0.0.2']);
  t.same(hosts.get('router'), ['fe80::1%eth0']);
  t.equal(hosts.size, 3);
  t.end();
});

void t.test('resolv.conf: servers, domains and ndots; the last of search and domain counts', t => {
  t.same(
    parseResolvConf(`
; by hand
nameserver 10.0.0.53 # first
nameserver fd00::53
domain old.example
search Prod.svc.cluster.local. svc.cluster.local
options timeout:1 ndots:5 rotate
nameserver
`),
    {
      servers: ['10.0.0.53', 'fd00::53'],
      search: ['prod.svc.cluster.local', 'svc.cluster.local'],
      ndots: 5,
    },
  );
  t.same(parseResolvConf(''), { servers: [], search: undefined, ndots: 1 });
  t.same(parseResolvConf('search a.example\ndomain b.example\noptions ndots:99'), {
    servers: [],
    search: ['b.example'],
    ndots: 15,
  });
  t.end();
});

void t.test('nsswitch.conf: what is asked besides files and dns', t => {
  t.same(
    parseOtherSources('passwd: files ldap\nhosts: files mdns4_minimal [NOTFOUND=return] dns mymachines'),
    ['mdns4_minimal', 'mymachines'],
  );
  t.same(parseOtherSources('hosts:\tfiles dns # ldap'), []);
  t.same(parseOtherSources(''), []);
  t.end();
});

void t.test('the names that a name may stand for, in the order of the C library', t => {
  const domains = ['ns.svc.local', 'svc.local'];
  t.same(candidates('db', domains, 1), ['db.ns.svc.local', 'db.svc.local', 'db']);
  t.same(candidates('db.ns', domains, 1), ['db.ns', 'db.ns.ns.svc.local', 'db.ns.svc.local']);
  t.same(candidates('db.ns', domains, 5), ['db.ns.ns.svc.local', 'db.ns.svc.local', 'db.ns']);
  t.same(candidates('db.', domains, 5), ['db'], 'a dot at the end: as it stands');
  t.same(candidates('db', ['', ''], 1), ['db'], 'the root is no domain of its own');
  t.same(candidates('db', domains, 0)[0], 'db');
  t.end();
});
