/** A backend that accepts and never answers is found out with the defaults in about half the time of three checks in a row. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { ConfigInput } from '../../src/config/schema/schema.ts';
import { formatAddress } from '../../src/support/address.ts';
import { DATA_PLANE } from '../harness/data-plane.ts';
import { PROBE_PATH } from '../harness/faulty-backend.ts';
import { startBackendProcess } from '../harness/faulty-backends.ts';
import { startLb4 } from '../harness/lb4-process.ts';

/** 2 s to the next check, 2 s until it fails, half a second until the third one begins, and 2 s until that fails; 5 % more. */
const MOST_MS = 6_600;
/** One after the other they would take 10 s at least. */
const LATE_MS = 2_000;

void t.test(
  'a frozen backend with an HTTP check is down within seconds, and a debug line says so before',
  async t => {
    const process = await startBackendProcess(t, { frozen: 'serve' });
    const [backend] = process.backends;
    if (backend === undefined) throw new Error('no backend has started');
    const config: ConfigInput = {
      ...DATA_PLANE,
      listeners: [{ name: 'in', bind: '127.0.0.1:0', upstream: 'app' }],
      upstreams: [
        {
          name: 'app',
          backends: [formatAddress(backend.address)],
          health: { type: 'http', path: PROBE_PATH },
        },
      ],
      log: { level: 'debug' },
    };
    const file = join(t.testdir({}), 'lb4.json');
    writeFileSync(file, JSON.stringify(config));
    const lb4 = await startLb4(t, ['-c', file]);
    process.stop();
    const stoppedAt = Date.now();
    const failed = await lb4.line(({ event }) => event === 'checkFailed');
    t.match(failed, { level: 'debug', reason: 'no answer within 2s', inARow: 1, fall: 3 });
    await lb4.line(({ event }) => event === 'backendDown');
    const tookMs = Date.now() - stoppedAt;
    t.ok(tookMs <= MOST_MS + LATE_MS, `after ${tookMs} ms; ${MOST_MS} where the machine is not busy`);
    process.resume();
    const resumedAt = Date.now();
    await lb4.line(({ event }) => event === 'backendUp');
    t.ok(Date.now() - resumedAt <= 2_100 + 525 + LATE_MS, 'and two checks that pass bring it back');
  },
);
