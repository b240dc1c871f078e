/** Reading the kernel's count of segments. */
import t from 'tap';
import { sentSegments, sentSegmentsIn } from '../../bench/measure/segments.ts';

const SNMP = `Ip: Forwarding DefaultTTL OutRequests
Ip: 1 64 999
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens InSegs OutSegs RetransSegs
Tcp: 1 200 120000 -1 12 345 678 9
Udp: InDatagrams OutDatagrams
Udp: 5 6
`;

void t.test('the count is found by its name, whatever stands before it', async t => {
  t.equal(sentSegmentsIn(SNMP), 678);
  t.equal(sentSegmentsIn('Tcp: OutSegs\nTcp: 7\n'), 7);
});

void t.test('what is not there is not zero', async t => {
  t.equal(sentSegmentsIn(''), undefined);
  t.equal(sentSegmentsIn('Tcp: InSegs\nTcp: 7\n'), undefined);
  t.equal(sentSegmentsIn('Tcp: InSegs OutSegs\nTcp: 7\n'), undefined);
});

void t.test('this kernel counts them', { skip: process.platform !== 'linux' }, async t => {
  t.ok((sentSegments() ?? -1) >= 0);
});
