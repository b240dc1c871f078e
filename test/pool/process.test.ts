/** What a warm pool may do to the process it lives in: nothing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';

await t.test(
  'broken callbacks surface as exceptions, never as rejections; no timer keeps the process',
  async t => {
    const script = fileURLToPath(new URL('broken-callbacks.js', import.meta.url));
    const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', chunk => (output += String(chunk)));
    const [code] = await once(child, 'close');
    t.equal(code, 0);
    t.strictSame(output.trim().split('\n').sort(), [
      'acquire: timeout',
      'lent: 3',
      'opening: 1, refill: under way',
      'thrown: Error: done is broken, within acquire',
      'uncaught: connect is broken',
      'uncaught: connect is broken',
      'uncaught: done is broken, later',
    ]);
  },
);
