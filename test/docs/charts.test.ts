/** The charts in docs/ against the code that they show. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { bare } from '../harness/bare-threads.ts';

for (const [chart, name] of Object.entries({
  'slow start': 'plot-slow-start.js',
  'many instances': 'plot-many-instances.js',
})) {
  void t.test(`the chart of ${chart} is what the code does`, t => {
    const script = fileURLToPath(new URL(`../../scripts/${name}`, import.meta.url));
    const { stderr, status } = spawnSync(...bare(process.execPath, [script, '--check']), {
      encoding: 'utf8',
    });
    t.equal(stderr, '');
    t.equal(status, 0);
    t.end();
  });
}
