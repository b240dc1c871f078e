import t from 'tap';
import { failureLine, outOfDescriptors, type FailureSurroundings } from '../../../src/cli/failure-line.ts';

const SURROUNDINGS: FailureSurroundings = { args: ['node', 'lb4.js'], env: {}, descriptors: 64 };
const coded = (code: string, message = code): Error => Object.assign(new Error(message), { code });

void t.test('whatever it is, it is one line', async t => {
  t.equal(failureLine(new Error('this\n  and\nthat'), SURROUNDINGS), 'lb4: this and that\n');
  t.equal(failureLine('thrown text', SURROUNDINGS), 'lb4: thrown text\n');
});

void t.test('the stack follows where the level is debug, by option or by environment', async t => {
  const error = new Error('broken');
  for (const surroundings of [
    { ...SURROUNDINGS, args: ['--log-level', 'debug'] },
    { ...SURROUNDINGS, args: ['--log-level=debug'] },
    { ...SURROUNDINGS, env: { LB4_LOG_LEVEL: 'debug' } },
  ]) {
    t.equal(failureLine(error, surroundings), `lb4: broken\n${error.stack}\n`);
  }
});

void t.test('an error that came of too few descriptors names the limit and what is needed', async t => {
  const expected = /^too few file descriptors: ulimit -n is 64; lb4 needs at least 192 to start/;
  t.match(outOfDescriptors(coded('EMFILE'), 64), expected);
  t.match(outOfDescriptors(new Error('a worker died', { cause: coded('EMFILE') }), 64), expected);
  t.match(
    outOfDescriptors(coded('ERR_MODULE_NOT_FOUND', 'Cannot find package winston'), 64),
    expected,
    'Node finds no module whose package.json it cannot open',
  );
  const inWorker = Object.assign(coded('LB4_WORKER_FAILED'), { cause: coded('ERR_MODULE_NOT_FOUND') });
  t.match(outOfDescriptors(inWorker, 600), /ulimit -n is 600/, 'nor does a worker, of many');
  t.equal(outOfDescriptors(coded('ERR_MODULE_NOT_FOUND'), 1024), undefined);
  t.match(outOfDescriptors(coded('ENFILE'), 1024), /fs\.file-max/);
  t.equal(outOfDescriptors(coded('ENOENT'), 64), undefined);
});
