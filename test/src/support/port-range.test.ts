/** Ranges of ports in addresses to listen at. */
import t from 'tap';
import { parseBind } from '../../../src/support/port-range.ts';
import { formatAddress } from '../../../src/support/address.ts';

const shown = (text: string): string => {
  const parsed = parseBind(text);
  return parsed.ok ? parsed.addresses.map(formatAddress).join(' ') : parsed.expected;
};

void t.test('a range stands for all its ports', t => {
  t.equal(shown(':5000-5002'), ':5000 :5001 :5002');
  t.equal(shown('127.0.0.1:5000-5001'), '127.0.0.1:5000 127.0.0.1:5001');
  t.equal(shown('[::1]:5000-5001'), '[::1]:5000 [::1]:5001');
  t.equal(shown('my-host.internal:80-81'), 'my-host.internal:80 my-host.internal:81');
  t.equal(shown(':80-80'), ':80');
  t.equal(shown(':64536-65535').split(' ').length, 1000);
  t.end();
});

void t.test('one address is one', t => {
  t.equal(shown(':80'), ':80');
  t.equal(shown(':0'), ':0');
  t.equal(shown('unix:/run/a:80-81'), 'unix:/run/a:80-81');
  t.end();
});

void t.test('a range is within the ports, forwards, and bounded', t => {
  const expected = 'a range of 1 to 1000 ports from 1 to 65535, such as :5000-5009';
  for (const wrong of [':0-5', ':5-4', ':1-65535', ':64000-65536', ':5000-6000'])
    t.equal(shown(wrong), expected);
  t.equal(shown('300.1.1.1:80-81'), 'an IPv4 address or a host name before the port');
  t.equal(shown(':80-'), 'a port from 0 to 65535');
  t.equal(shown(':-80'), 'a port from 0 to 65535');
  t.end();
});
