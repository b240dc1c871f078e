/**
 * What would come of a configuration on this machine, found out without starting it: the engine and its threads, the
 * sessions that descriptors allow, and how Redis answers.
 *
 * Place: used by `lb4 doctor`. The client of Redis is loaded only when `redis` is configured.
 * Invariant: reads only; Redis gets PING and INFO.
 */
import type { Config, RedisConfig } from '../config/schema/schema.ts';
import { dataPlaneOutlook, type HostConfig } from '../host/build-data-plane.ts';
import { wordsOf } from '../errors.ts';
import { Names } from '../names/names.ts';
import { netLookup } from '../names/net-lookup.ts';
import { readSmallFile } from '../support/small-file.ts';
import { setKeepingTimer } from '../support/timer.ts';

export interface EngineOutlook {
  readonly engine: string;
  /** Threads; 0: the main thread takes sessions. */
  readonly workers: number;
  /** Those of the `node` engine beside them, for listeners with TLS. */
  readonly workersForTls: number;
  /** Why it is less than what was asked for, or less than the best. */
  readonly reason?: string | undefined;
  /** Why `workers: auto` is fewer than one per core of the machine. */
  readonly coreLimit?: string | undefined;
  readonly ffi?: string | undefined;
}

export interface SessionsOutlook {
  /** Sessions that can run at once: what is configured or what descriptors allow; Infinity for no limit. */
  readonly maxSessions: number;
  /** The most that are configured, and the limit of descriptors that it takes; undefined where that is in force. */
  readonly short: { readonly wanted: number; readonly descriptorsNeeded: number } | undefined;
}

export type Outlook =
  | { readonly ok: true; readonly engine: EngineOutlook; readonly sessions: SessionsOutlook }
  | { readonly ok: false; readonly reason: string };

/** The parts of a configuration that decide. */
export type Outlooked = Pick<
  Config,
  'engine' | 'workers' | 'workerStallTimeout' | 'limits' | 'listeners' | 'upstreams'
> &
  Pick<HostConfig, 'admin'>;

export function outlookOf(config: Outlooked): Outlook {
  try {
    const { choice, limits, workersForTls } = dataPlaneOutlook(config);
    const wanted = limits.descriptors?.wanted;
    const short = wanted && { wanted: wanted.maxSessions, descriptorsNeeded: wanted.limit };
    return {
      ok: true,
      engine: { ...choice, workersForTls },
      sessions: { maxSessions: limits.maxSessions, short },
    };
  } catch (error) {
    return { ok: false, reason: wordsOf(error) };
  }
}

export type RedisOutlook =
  /** `latencyMs`: the median of a few PINGs. `version`: undefined where INFO is forbidden. */
  | { readonly ok: true; readonly latencyMs: number; readonly version: string | undefined }
  | { readonly ok: false; readonly reason: string };

const PINGS = 5;

/** Asks the Redis that a configuration names; never throws, and ends within `timeoutMs`. */
export async function redisOutlook(
  redis: RedisConfig,
  { baseDir, timeoutMs, now }: { baseDir: string; timeoutMs: number; now: () => number },
): Promise<RedisOutlook> {
  const names = new Names();
  let end = (): void => undefined;
  let cancelTimer = (): void => undefined;
  try {
    const { createCommandClient } = await import('../control/mirror/redis-options.ts');
    const { redisConnection } = await import('../control/mirror/redis-connection.ts');
    const { exchangeFailure } = await import('../control/mirror/exchange-failure.ts');
    const connection = redisConnection(redis, { baseDir, at: ['redis'], readFile: readSmallFile });
    let trouble: string | undefined;
    const note = (error: unknown): void => void (trouble ??= exchangeFailure(error).message);
    const client = createCommandClient(connection, {
      timeoutMs,
      lookup: netLookup(host => names.lookup(host)),
      onStrange: note,
    });
    end = () => client.disconnect();
    const emitter: NodeJS.EventEmitter = client;
    for (const event of ['error', 'node error', 'sentinelError']) emitter.on(event, note);
    const asked = async (): Promise<RedisOutlook> => {
      await client.connect();
      const took: number[] = [];
      for (let i = 0; i < PINGS; i++) {
        const startedMs = now();
        // A user who may not PING gets an answer as well.
        await client.ping().catch((error: unknown) => {
          if (!wordsOf(error).startsWith('NOPERM')) throw error;
        });
        took.push(now() - startedMs);
      }
      const info = await client.info('server').catch(() => '');
      const version = /^redis_version:(\S+)/m.exec(info)?.[1];
      return { ok: true, latencyMs: took.sort((a, b) => a - b)[PINGS >> 1] ?? 0, version };
    };
    const late = new Promise<RedisOutlook>(resolve => {
      cancelTimer = setKeepingTimer(
        () => resolve({ ok: false, reason: trouble ?? `no answer within ${timeoutMs / 1000} s` }),
        timeoutMs,
      );
    });
    const failed = (error: unknown): RedisOutlook => ({
      ok: false,
      reason: trouble ?? exchangeFailure(error).message,
    });
    return await Promise.race([asked().catch(failed), late]);
  } catch (error) {
    return { ok: false, reason: wordsOf(error) };
  } finally {
    cancelTimer();
    end();
    names.close();
  }
}
