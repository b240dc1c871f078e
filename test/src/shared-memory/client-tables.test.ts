import t from 'tap';
import { ClientTable } from '../../../src/shared-memory/client-table.ts';
import { ClientTables } from '../../../src/shared-memory/client-tables.ts';

const CLIENTS = { whose: 'client', ipv4Prefix: 32, ipv6Prefix: 64, clients: 8_192 } as const;
const NETWORKS = { whose: 'network', ipv4Prefix: 24, ipv6Prefix: 48, clients: 8_192 } as const;

void t.test('a table goes on while its prefixes and its size do', async t => {
  const tables = new ClientTables(2);
  const [clients, networks] = [tables.of('web', CLIENTS), tables.of('web', NETWORKS)];
  t.not(clients, networks);
  t.equal(tables.of('web', { ...CLIENTS }), clients);
  t.equal(tables.of('web', { ...NETWORKS }), networks);
  t.not(tables.of('mail', CLIENTS), clients, 'another listener has its own');
  for (const change of [
    { clients: 20_000 },
    { ipv4Prefix: 31 },
    { ipv6Prefix: 65 },
    { whose: 'network' },
  ] as const)
    t.not(tables.of('web', { ...CLIENTS, ...change }), clients, JSON.stringify(change));
});

void t.test('a configuration that did not take effect takes no table away', async t => {
  const tables = new ClientTables(1);
  const clients = tables.of('web', CLIENTS);
  tables.keepOnly('web', [clients]);
  tables.of('web', NETWORKS);
  t.equal(tables.of('web', CLIENTS), clients);
  tables.keepOnly('web', []);
  t.not(tables.of('web', CLIENTS), clients);
});

void t.test('what a dead worker held is given back in all of them', async t => {
  const tables = new ClientTables(2);
  const come = () =>
    [CLIENTS, NETWORKS].map(kind =>
      new ClientTable(tables.of('web', kind), 1).enter('192.0.2.1', {
        ...kind,
        sessions: 1,
        rate: undefined,
      }),
    );
  t.same(
    come().map(entered => typeof entered),
    ['number', 'number'],
  );
  t.same(come(), ['sessions', 'sessions']);
  tables.forget(1);
  t.same(
    come().map(entered => typeof entered),
    ['number', 'number'],
  );
});
