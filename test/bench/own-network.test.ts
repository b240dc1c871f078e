/** The run inside a network namespace of its own, where this machine lets the test make one. */
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { canOwnNetwork, runInOwnNetwork } from '../../bench/processes/own-network.ts';

/** Exit codes of the program: its loopback carries data and nothing was sent on it before; or what is wrong. */
const PROGRAM = `
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
const [names, values] = readFileSync('/proc/net/snmp', 'utf8').match(/^Tcp:.*$/gm).map(line => line.split(' '));
if (values[names.indexOf('OutSegs')] !== '0') process.exit(3);
if (process.env.LB4_BENCH_NETWORK !== 'own' || process.argv[2] !== 'an argument') process.exit(4);
const server = createServer(socket => socket.end('x')).listen(0, '127.0.0.1', () => {
  connect(server.address().port, '127.0.0.1').on('error', () => process.exit(5)).on('data', () => process.exit(42));
});
`;

void t.test(
  'nothing but the program is on its loopback, and its exit code comes out',
  { skip: canOwnNetwork() ? false : 'no network namespace can be made here' },
  async t => {
    const folder = t.testdir({ 'program.mjs': PROGRAM });
    const program = pathToFileURL(`${folder}/program.mjs`).href;
    t.equal(await runInOwnNetwork(program, ['an argument']), 42);
  },
);

void t.test("LB4_BENCH_NETWORK=here keeps a run in the machine's network", async t => {
  process.env['LB4_BENCH_NETWORK'] = 'here';
  t.teardown(() => delete process.env['LB4_BENCH_NETWORK']);
  t.equal(canOwnNetwork(), false);
});
