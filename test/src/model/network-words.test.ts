/** Networks without an object for each: what was added is found again, as text. */
import t from 'tap';
import { NetworkWords } from '../../../src/model/network-words.ts';

void t.test('the first network that has an address is named', t => {
  const networks = new NetworkWords();
  for (const text of ['::/0', '10.1.0.0/16', '10.0.0.0/8', '2001:db8::/32', '192.0.2.1'])
    t.ok(networks.add(text), text);
  networks.addIPv4(0xcb00_7100, 24);
  t.equal(networks.length, 6);
  const cases: Readonly<Record<string, string | undefined>> = {
    '10.1.2.3': '10.1.0.0/16',
    '::ffff:10.2.2.3': '10.0.0.0/8',
    '203.0.113.77': '203.0.113.0/24',
    '192.0.2.1': '192.0.2.1/32',
    '192.0.2.2': undefined,
    '2001:db8::1': '::/0',
    nonsense: undefined,
  };
  for (const [address, network] of Object.entries(cases)) {
    const found = networks.holding(address);
    t.equal(found === undefined ? undefined : networks.textAt(found), network, address);
  }
  t.end();
});

void t.test('what is no network is not added', t => {
  const networks = new NetworkWords();
  t.same(
    ['', '10.0.0.0/33', 'x'].map(text => networks.add(text)),
    [false, false, false],
  );
  t.equal(networks.length, 0);
  t.end();
});
