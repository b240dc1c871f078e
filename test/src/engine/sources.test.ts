/** Which addresses a connection may come from, and in which order. */
import t from 'tap';
import { sourcesFor } from '../../../src/engine/sources.ts';
import type { TcpAddress } from '../../../src/support/address.ts';

const to = (host: string): TcpAddress => ({ kind: 'tcp', host, port: 80 });
const hosts = (sources: readonly TcpAddress[]): string[] => sources.map(({ host }) => host);

void t.test('each target has turns of its own, and all sources follow in order', t => {
  const source = ['192.0.2.1', '192.0.2.2', '2001:db8::1', '192.0.2.3'];
  const [one, other] = [to('10.0.0.1'), to('10.0.0.2')];
  const first = (target: TcpAddress): string | undefined => hosts(sourcesFor(target, source, undefined))[0];
  t.same(
    [first(one), first(one), first(other), first(one), first(one)],
    [...['192.0.2.1', '192.0.2.2', '192.0.2.1', '192.0.2.3', '192.0.2.1']],
  );
  t.same(hosts(sourcesFor(one, source, undefined)), ['192.0.2.2', '192.0.2.3', '192.0.2.1']);
  t.same(hosts(sourcesFor(to('2001:db8::9'), source, undefined)), ['2001:db8::1']);
  t.end();
});

void t.test('none where the list has none of the target’s family', t => {
  t.same(sourcesFor(to('10.0.0.1'), ['2001:db8::1'], undefined), []);
  t.same(sourcesFor(to('2001:db8::9'), ['192.0.2.1'], undefined), []);
  t.end();
});

void t.test('that of the client, if it has one of this family', t => {
  t.same(sourcesFor(to('10.0.0.1'), 'client', '192.0.2.7'), [{ kind: 'tcp', host: '192.0.2.7', port: 0 }]);
  t.same(hosts(sourcesFor(to('2001:db8::9'), 'client', '2001:db8::7')), ['2001:db8::7']);
  for (const client of [undefined, '', '2001:db8::7'])
    t.same(sourcesFor(to('10.0.0.1'), 'client', client), [], String(client));
  t.end();
});
