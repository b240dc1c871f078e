import t from 'tap';
import { createFirstAvailable } from '../../strategies/first-available.ts';
import { strategyContract } from '../contracts/strategy.ts';
import { anyone, deps, fakes } from './fakes.ts';

await strategyContract(t, 'first', createFirstAvailable);

await t.test('fills the backends in their order, each up to its maxSessions', t => {
  const all = fakes(1, 9, 1);
  const strategy = createFirstAvailable(all, deps());
  const order: string[] = [];
  for (let i = 0; i < 6; i += 1) {
    const picked = strategy.pick({ ...anyone, skip: candidate => candidate.live() >= 2 });
    all.find(candidate => candidate === picked)!.sessions += 1;
    order.push(picked!.id);
  }
  t.strictSame(order, ['b0', 'b0', 'b1', 'b1', 'b2', 'b2']);
  all[1]!.sessions -= 1;
  t.equal(strategy.pick({ ...anyone, skip: candidate => candidate.live() >= 2 }), all[1]);
  t.equal(strategy.pick(anyone), all[0], 'with no limit everything goes to the first');
  t.end();
});
