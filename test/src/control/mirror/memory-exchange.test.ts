/**
 * The plain model of the exchange keeps the contract.
 */
import t from 'tap';
import { exchangeContract } from '../../../contracts/exchange.ts';
import { MemoryHub } from '../../../../src/sim/memory-exchange.ts';

void t.test('the model keeps the contract', async t => {
  await exchangeContract(t, () => {
    let now = 1_000_000;
    const hub = new MemoryHub({ now: () => now });
    return {
      connect: () => hub.connect(),
      pass: ms => {
        now += ms;
        return Promise.resolve();
      },
      flush: () => {
        hub.flush();
        return Promise.resolve();
      },
    };
  });
});

void t.test('an exchange that is told to fail does so until it is told otherwise', async t => {
  const hub = new MemoryHub({ now: () => 0 });
  const exchange = hub.connect();
  let ready = 0;
  exchange.onReady(() => (ready += 1));
  exchange.failWith('loading');
  const publication = {
    ...{ upstream: 'app', instance: 'a', owner: 'o', number: 1 },
    ...{ leaseMs: 1000, counts: new Map([['x:1', 1]]), unseen: 0 },
  };
  await t.rejects(exchange.exchange(publication), { name: 'ExchangeError', reason: 'loading' });
  exchange.failWith(undefined);
  t.equal(ready, 1);
  t.match(await exchange.exchange(publication), { kind: 'totals' });
});
