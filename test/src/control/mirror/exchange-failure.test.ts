/**
 * Every failure has a word and a sentence, and neither gives anything away. The real servers of
 * redis-failures.test.ts say some of this; here is what other versions say, and what is hard to provoke.
 */
import t from 'tap';
import { ExchangeError } from '../../../../src/control/mirror/exchange.ts';
import { wordsOf } from '../../../../src/errors.ts';
import { exchangeFailure } from '../../../../src/control/mirror/exchange-failure.ts';

const SECRET = 'hunter2';

const reply = (message: string): Error =>
  Object.assign(new Error(message), { name: 'ReplyError', command: { name: 'auth', args: [SECRET] } });
const system = (code: string): Error => Object.assign(new Error(`connect ${code} 10.0.0.1:6379`), { code });

const CASES: readonly (readonly [string, unknown])[] = [
  ['denied', reply('WRONGPASS invalid username-password pair or user is disabled.')],
  ['denied', reply('NOAUTH Authentication required.')],
  ['denied', reply("NOPERM this user has no permissions to run the 'evalsha' command")],
  [
    'denied',
    reply(
      "ERR Error running script (call to f_1): @user_script:9: The user executing the script can't run this command or subcommand",
    ),
  ],
  ['denied', reply('DENIED Redis is running in protected mode because protected mode is enabled')],
  ['loading', reply('LOADING Redis is loading the dataset in memory')],
  ['readOnly', reply("READONLY You can't write against a read only replica.")],
  ['readOnly', reply("ERR Error running script (call to f_1): @user_script:9: -READONLY You can't write")],
  ['readOnly', reply("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")],
  ['readOnly', reply('NOREPLICAS Not enough good replicas to write.')],
  ['readOnly', reply('MISCONF Redis is configured to save RDB snapshots, but it is currently unable to')],
  [
    'outOfMemory',
    reply("OOM command not allowed when used memory > 'maxmemory'. script: 1, on @user_script:9."),
  ],
  ['outOfMemory', reply('ERR Error running script (call to f_1): @user_script: 9: -OOM command not allowed')],
  [
    'wrongType',
    reply('ERR Error running script (call to f_1): @user_script:9: WRONGTYPE Operation against a key'),
  ],
  ['cluster', reply('CLUSTERDOWN Hash slot not served')],
  ['cluster', reply('MOVED 1234 10.0.0.2:6379')],
  ['cluster', reply("CROSSSLOT Keys in request don't hash to the same slot")],
  ['cluster', reply('ERR This instance has cluster support disabled')],
  ['cluster', new Error('Too many Cluster redirections. Last error: ReplyError: MOVED 1 10.0.0.2:6379')],
  ['timeout', new Error('Command timed out')],
  ['timeout', new Error("Socket timeout. Expecting data, but didn't receive any in 400ms.")],
  ['timeout', reply('BUSY Redis is busy running a script.')],
  ['timeout', system('ETIMEDOUT')],
  ['unreachable', system('ECONNREFUSED')],
  ['unreachable', system('ENOTFOUND')],
  ['unreachable', system('DEPTH_ZERO_SELF_SIGNED_CERT')],
  ['unreachable', reply('ERR max number of clients reached')],
  ['unreachable', new Error('All sentinels are unreachable and retry is disabled. Last error: x')],
  ['unreachable', new Error('Connection is closed.')],
  ['unreachable', 'something that is no error'],
  ['error', reply('ERR DB index is out of range')],
  ['error', reply(`ERR unknown command 'EVAL', with args beginning with: '${SECRET}' 'local own' `)],
];

for (const [reason, error] of CASES) {
  const said = wordsOf(error);
  void t.test(`"${said.slice(0, 60)}" is ${reason}`, async t => {
    const failure = exchangeFailure(error);
    t.type(failure, ExchangeError);
    t.equal(failure.reason, reason);
    t.match(failure.message, /^[^\n]{10,200}$/);
    t.notMatch(failure.message, new RegExp(`${SECRET}|user_script|local own|redis\\.call`));
    t.equal(failure.cause, undefined);
    t.equal(exchangeFailure(failure), failure);
  });
}

void t.test("a Cluster's nodes say why none of them can be used", async t => {
  const error = Object.assign(new Error('Failed to refresh slots cache.'), {
    lastNodeError: reply('WRONGPASS invalid username-password pair'),
  });
  t.equal(exchangeFailure(error).reason, 'denied');
});
