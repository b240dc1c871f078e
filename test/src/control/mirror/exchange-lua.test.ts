/** The script of the exchange as text: what a linter sees in it. Redis itself runs it in the other tests. */
import t from 'tap';
import { EXCHANGE_SCRIPT } from '../../../../src/control/mirror/exchange-script.ts';
import { runProgram, skipWithout } from '../../../harness/programs.ts';

const GIVEN_BY_REDIS = ['KEYS', 'ARGV', 'redis', 'struct', 'cjson'];
/** An empty branch: it holds a comment that says why. */
const ALLOWED = '542';

const lint = (text: string) => {
  const args = [
    '--no-config',
    '--std',
    'lua51',
    '--ignore',
    ALLOWED,
    '--codes',
    '--no-color',
    '--formatter',
    'plain',
  ];
  return runProgram('luacheck', ['-', ...args, '--read-globals', ...GIVEN_BY_REDIS], { input: text });
};

void t.test('luacheck finds nothing in it', { skip: skipWithout('luacheck') }, async t => {
  const { code, stdout } = await lint(EXCHANGE_SCRIPT);
  t.equal(stdout, '');
  t.equal(code, 0);
});

void t.test('luacheck would find a name that is nowhere set', { skip: skipWithout('luacheck') }, async t => {
  const { code, stdout } = await lint(
    EXCHANGE_SCRIPT.replace('local function split', 'local function splitt'),
  );
  t.not(code, 0);
  t.match(stdout, /undefined variable '?split'?/);
});
