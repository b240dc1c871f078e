/** The charts in docs/ against the code that they show. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const script = fileURLToPath(new URL('../../scripts/plot-slow-start.js', import.meta.url));

void t.test('the chart of slow start is what the code does', t => {
  const { stderr, status } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  t.equal(stderr, '');
  t.equal(status, 0);
  t.end();
});
