/** The words by which clients are told apart. */
import t from 'tap';
import { keyByOf, parseKeyBy } from '../../../src/config/key-by.ts';

void t.test('they mean the address, its network, or what a proxy in front says', t => {
  for (const text of ['client', 'clientIp']) t.equal(parseKeyBy(text), 'client');
  t.same(parseKeyBy('clientPrefix'), { by: 'clientPrefix', v4: 24, v6: 64 });
  t.same(parseKeyBy('clientPrefix:32/128'), { by: 'clientPrefix', v4: 32, v6: 128 });
  t.same(parseKeyBy('proxyTlv:5'), { by: 'proxyTlv', type: 5 });
  for (const text of ['proxyTlv:0xE0', 'proxyTlv:0xe0', 'proxyTlv:224'])
    t.same(parseKeyBy(text), { by: 'proxyTlv', type: 0xe0 });
  t.equal(keyByOf(undefined), undefined);
  t.equal(keyByOf('client'), undefined);
  t.same(keyByOf('proxyTlv:1'), { by: 'proxyTlv', type: 1 });
  t.end();
});

void t.test('others mean nothing', t => {
  const texts = [
    '',
    'Client',
    'cookie',
    'clientPrefix:',
    'clientPrefix:24',
    'clientPrefix:0/64',
    'clientPrefix:24/0',
  ];
  texts.push(
    'clientPrefix:33/64',
    'clientPrefix:24/129',
    'clientPrefix:-1/1',
    'proxyTlv',
    'proxyTlv:',
    'proxyTlv:0',
  );
  texts.push('proxyTlv:256', 'proxyTlv:0x', 'proxyTlv:0x100', 'proxyTlv:E0', 'proxyTlv:5 ', 'proxyTlv:1.5');
  for (const text of texts) t.equal(parseKeyBy(text), undefined, text);
  t.end();
});
