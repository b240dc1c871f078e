/** What the record of a session says of its client. */
import t from 'tap';
import { TLV } from '../../../../src/codec/proxy-protocol/index.ts';
import { clientFields } from '../../../../src/data/admission/client-fields.ts';

const CLIENT = { clientAddress: '192.0.2.7', clientPort: 51_034 };
const PEER = { peerAddress: '10.0.0.1' };

void t.test('a client that came by itself has its address, and nothing else', t => {
  t.strictSame(clientFields(CLIENT, PEER), CLIENT);
  t.end();
});

void t.test('behind a proxy, with a name in its first message, it has more', t => {
  const tlvs = [{ type: TLV.uniqueId, value: Buffer.from('front-7') }];
  const fields = clientFields({ ...CLIENT, proxied: { tlvs }, serverName: 'a.example' }, PEER);
  t.strictSame(fields, { ...CLIENT, proxyAddress: '10.0.0.1', uniqueId: 'front-7', serverName: 'a.example' });
  t.end();
});
