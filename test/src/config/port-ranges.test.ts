/** A range of ports in `bind`: what it means, how it is shown, where its mistakes are. */
import t from 'tap';
import { diffConfigs } from '../../../src/config/diff.ts';
import { effectiveOf } from '../../../src/config/report/effective.ts';
import { parseConfig } from '../../../src/config/source/parse.ts';
import { warningsOf } from '../../../src/config/checks/warnings.ts';
import type { Config } from '../../../src/config/schema/schema.ts';
import { formatAddress } from '../../../src/support/address.ts';
import { problems, withListener } from './small-inputs.ts';

function parsed(bind: unknown): Config {
  const result = parseConfig(withListener({ bind }));
  if (!result.ok) throw new Error('refused');
  return result.config;
}

const addresses = (config: Config): string[] => (config.listeners[0]?.bind ?? []).map(formatAddress);
const shown = (config: Config): unknown => Reflect.get(Object(effectiveOf(config)['listeners']), 0);

void t.test('a listener has each address of a range', t => {
  t.same(addresses(parsed(':5000-5002')), [':5000', ':5001', ':5002']);
  t.same(addresses(parsed(['127.0.0.1:80', '[::1]:90-91'])), ['127.0.0.1:80', '[::1]:90', '[::1]:91']);
  t.end();
});

void t.test('it is shown as it was written, and means the same again', t => {
  const bind = [
    '127.0.0.1:80',
    ':5000-5009',
    { address: 'unix:/run/a', mode: '0660' },
    ':1-1',
    '[::1]:90-91',
  ];
  const config = parsed(bind);
  t.match(shown(config), {
    bind: ['127.0.0.1:80', ':5000-5009', { address: 'unix:/run/a', mode: '0660' }, ':1', '[::1]:90-91'],
  });
  const again = parseConfig(JSON.parse(JSON.stringify(effectiveOf(config))));
  t.same(again.ok && again.config, config);
  t.end();
});

void t.test('a reload says what has changed', t => {
  const [change] = diffConfigs(parsed(':5000-5001'), parsed(':5000-5002'));
  t.equal(change?.text, 'listener web: bind [:5000-5001] → [:5000-5002]');
  t.end();
});

void t.test('too many, and those that another bind has', t => {
  t.match(
    problems(withListener({ bind: [':5000-5999', ':7000'] })),
    'listeners[0].bind: expected at most 1000 addresses, with those of ranges',
  );
  t.match(
    problems(withListener({ bind: ['127.0.0.1:5000-5009', '127.0.0.1:5009'] })),
    'listeners[0].bind[1]: expected an address that no other bind uses',
  );
  t.match(
    problems(withListener({ bind: ':5009-5000' })),
    'listeners[0].bind: expected a range of 1 to 1000 ports from 1 to 65535, such as :5000-5009, got ":5009-5000"',
  );
  t.end();
});

void t.test('a warning names the entry as it was written', t => {
  const machine = { isOwn: () => true, hasInterface: () => true, addressesOf: () => [] };
  const paths = (bind: unknown): unknown[] => warningsOf(parsed(bind), machine).map(({ path }) => path);
  t.same(paths([':5000-5009', '127.0.0.1:5005']), [['listeners', 0, 'bind', 1]]);
  t.same(paths('[fe80::1]:80-81'), [['listeners', 0, 'bind']]);
  t.end();
});
