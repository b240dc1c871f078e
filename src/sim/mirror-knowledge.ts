/**
 * What an instance knows through the shipped mirror: as it ships, and with polling alone.
 *
 * Place: given to `Cluster`, beside the ways of `knowledge.ts` that it is compared with. What Redis would do is a
 * model with a delay; everything else is the code of src/control/mirror and strategies.
 * Invariant: a function made here is for one run: all its instances share one model of Redis.
 */
import { Events } from '../model/events.ts';
import type { Exchange } from '../control/mirror/exchange.ts';
import { Mirror } from '../control/mirror/mirror.ts';
import { UpstreamMirror, type MirroredUpstream } from '../control/mirror/upstream-mirror.ts';
import type { SetTimer } from '../support/timer.ts';
import { idOf, type CreateKnowledge } from './cluster.ts';
import { ModelRedis } from './model-exchange.ts';

/** To Redis, or from it. */
const DELAY_MS = 0.5;
const LOOKS_PER_PERIOD = 5;

type StartMirror = (upstream: MirroredUpstream, exchange: Exchange, process: Process) => void;

/** The process that a mirror runs in: when it is killed, its timers never fire. */
interface Process {
  readonly name: string;
  readonly owner: string;
  readonly now: () => number;
  readonly random: () => number;
  readonly setTimer: SetTimer;
}

/** The mirror as it ships: polls, and sends changes at once where that helps. */
export function mirrored(periodMs: number): CreateKnowledge {
  return mirroring(periodMs, (upstream, exchange, process) => {
    const { name, owner, ...deps } = process;
    const settings = { periodMs, instance: name, owner };
    new Mirror([upstream], settings, { ...deps, exchange, events: new Events() }).start();
  });
}

/** The same without what makes news younger than the period: one exchange per period, and no changes in between. */
export function polled(periodMs: number): CreateKnowledge {
  return mirroring(periodMs, (upstream, exchange, { name, owner, now, random, setTimer }) => {
    const mirror = new UpstreamMirror(upstream, { periodMs, owner }, now());
    const look = (): void => {
      mirror.look(now());
      setTimer(look, periodMs / LOOKS_PER_PERIOD);
    };
    const poll = async (): Promise<void> => {
      const publication = mirror.publication(name);
      const answer = await exchange.exchange(publication);
      if (answer.kind === 'totals') mirror.accept(publication, answer, now());
      setTimer(() => void poll(), periodMs * (1 - 0.1 * random()));
    };
    look();
    void poll();
  });
}

function mirroring(periodMs: number, startMirror: StartMirror): CreateKnowledge {
  let redis: ModelRedis | undefined;
  return ({ clock, random, instance, own, placed }) => {
    redis ??= new ModelRedis(clock, DELAY_MS);
    const exchange = redis.connect();
    let elsewhere: ReadonlyMap<string, number> = new Map();
    let isKilled = false;
    const setTimer: SetTimer = (callback, delayMs) =>
      clock.setTimer(() => {
        if (!isKilled) callback();
      }, delayMs);
    return {
      counts(backend) {
        const id = idOf(backend);
        return { live: () => own[backend] ?? 0, elsewhere: () => elsewhere.get(id) ?? 0 };
      },
      start(strategy) {
        const upstream: MirroredUpstream = {
          name: 'app',
          visit: visitorOf(own),
          sessions: () => own.reduce((sum, sessions) => sum + sessions, 0),
          placed,
          hear(heard, unseen) {
            elsewhere = heard;
            strategy.heard?.(unseen);
          },
          failed: () => undefined,
        };
        const name = `instance-${instance}`;
        const owner = `${name} of ${clock.now()}`;
        // Instances were not started at the same moment.
        setTimer(
          () => startMirror(upstream, exchange, { name, owner, now: clock.now, random, setTimer }),
          random() * periodMs,
        );
      },
      kill() {
        isKilled = true;
        exchange.close();
      },
    };
  };
}

function visitorOf(own: readonly number[]): MirroredUpstream['visit'] {
  const ids = own.map((_, backend) => idOf(backend));
  return each => own.forEach((sessions, backend) => each(ids[backend] ?? '', sessions));
}
