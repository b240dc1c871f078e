import t from 'tap';
import { workersForTls, chooseEngine, type Availability } from '../../../src/engine/choose-engine.ts';

const YES: Availability = { ok: true };
const NO = (reason: string): Availability => ({ ok: false, reason });
const full = { libc: YES, epoll: () => YES, tellsDelivery: () => true, cores: { count: 4 } };
const noEpoll = { ...full, epoll: () => NO('seccomp forbids epoll_wait') };
const nothing = {
  libc: NO('koffi is not installed'),
  epoll: () => NO('never asked'),
  tellsDelivery: () => true,
  cores: { count: 4 },
};

void t.test('by default there is a worker per core on the epoll engine', async t => {
  t.same(chooseEngine({ engine: 'auto', workers: 'auto' }, full), { engine: 'epoll', workers: 4 });
});

void t.test('what was asked for is taken', async t => {
  t.same(chooseEngine({ engine: 'node', workers: 2 }, full), { engine: 'node', workers: 2 });
  t.same(chooseEngine({ engine: 'epoll', workers: 1 }, full), { engine: 'epoll', workers: 1 });
  t.same(chooseEngine({ engine: 'auto', workers: 0 }, full), { engine: 'node', workers: 0 });
});

void t.test('listeners with TLS get as many workers again where the engine has no TLS', async t => {
  t.equal(workersForTls({ engine: 'epoll', workers: 4 }), 4);
  for (const workers of [0, 4]) t.equal(workersForTls({ engine: 'node', workers }), 0);
});

void t.test('a filter that forbids a call leaves workers on the node engine, and says why', async t => {
  t.same(chooseEngine({ engine: 'auto', workers: 'auto' }, noEpoll), {
    engine: 'node',
    workers: 4,
    reason: 'not the epoll engine: seccomp forbids epoll_wait',
  });
});

void t.test('without the C library there are no workers, even if some were asked for', async t => {
  for (const workers of ['auto', 4] as const) {
    t.same(chooseEngine({ engine: 'auto', workers }, nothing), {
      engine: 'node',
      workers: 0,
      reason: 'no workers, no epoll engine: koffi is not installed',
    });
  }
});

void t.test('where nothing tells what a receiver has got, one line says what becomes of resets', async t => {
  const blind = { ...nothing, tellsDelivery: () => false };
  const asFin = /a reset behind data is passed on as a FIN/;
  t.match(chooseEngine({ engine: 'node', workers: 0 }, blind).reason, asFin);
  const { reason } = chooseEngine({ engine: 'auto', workers: 'auto' }, blind);
  t.match(reason, /no workers, no epoll engine: koffi is not installed; /);
  t.match(reason, asFin);
  t.equal(chooseEngine({ engine: 'node', workers: 0 }, nothing).reason, undefined, 'the tables tell');
  const withLibc = { ...full, tellsDelivery: () => false };
  t.equal(chooseEngine({ engine: 'node', workers: 0 }, withLibc).reason, undefined, 'the C library tells');
});

void t.test('an engine that was asked for by name is an error where it cannot run', async t => {
  t.throws(() => chooseEngine({ engine: 'epoll', workers: 'auto' }, noEpoll), {
    code: 'LB4_ENGINE_UNAVAILABLE',
    message: 'the epoll engine cannot run here: seccomp forbids epoll_wait',
  });
  t.throws(() => chooseEngine({ engine: 'epoll', workers: 'auto' }, nothing), /koffi is not installed/);
});

void t.test('nobody tries the system’s calls when nobody wants the engine', async t => {
  const untried = {
    ...full,
    epoll: (): Availability => {
      throw new Error('tried');
    },
  };
  t.equal(chooseEngine({ engine: 'node', workers: 'auto' }, untried).workers, 4);
  t.equal(chooseEngine({ engine: 'auto', workers: 0 }, untried).workers, 0);
});

void t.test('there are at most 64 workers, and at least one', async t => {
  t.equal(chooseEngine({ engine: 'auto', workers: 'auto' }, { ...full, cores: { count: 128 } }).workers, 64);
});

void t.test('why there are fewer workers than cores is said, unless their number was asked for', async t => {
  const limited = { ...full, cores: { count: 1, limit: 'a CPU quota of 0.5 on 4 cores' } };
  for (const engine of ['auto', 'epoll', 'node'] as const) {
    t.match(chooseEngine({ engine, workers: 'auto' }, limited), {
      workers: 1,
      coreLimit: 'a CPU quota of 0.5 on 4 cores',
    });
    t.notHas(chooseEngine({ engine, workers: 2 }, limited), { coreLimit: String });
  }
});
