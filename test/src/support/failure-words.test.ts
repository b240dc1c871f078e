/** A failed connect in words. */
import t from 'tap';
import { failureWords } from '../../../src/support/failure-words.ts';

void t.test('the code is explained where it alone misleads', t => {
  t.equal(failureWords({ reason: 'refused', code: 'ECONNREFUSED' }), 'refused (ECONNREFUSED)');
  t.equal(
    failureWords({ reason: 'unreachable', code: 'EADDRNOTAVAIL' }),
    'unreachable (EADDRNOTAVAIL: this machine has no source port left for it, or not the source address: see source)',
  );
  t.equal(
    failureWords({ reason: 'unreachable', code: 'ENODEV' }),
    'unreachable (ENODEV: the interface to connect through is not there)',
  );
  t.end();
});
