/**
 * The probe that an upstream's `health` asks for.
 *
 * Place: control makes one per upstream when a configuration is applied, and gives it to the health checker.
 */
import type { Path } from '../../config/report/issue.ts';
import type { HealthConfig } from '../../config/schema/schema.ts';
import { parseStatusRanges } from '../../config/schema/status-ranges.ts';
import type { Engine } from '../../engine/engine.ts';
import type { SendProxy } from '../../model/send-proxy.ts';
import type { SetTimer } from '../../support/timer.ts';
import type { DialDeps } from './dial.ts';
import { createHttpProbe } from './http-probe.ts';
import { PRESETS, type Dialogue } from './presets.ts';
import { PASSED, type Probe } from './probe.ts';
import { quoted } from './reason-text.ts';
import { createSendExpectProbe } from './send-expect-probe.ts';
import { createTcpProbe } from './tcp-probe.ts';
import { createTlsProbe } from './tls-probe.ts';
import { tlsSettings, type SessionTls, type TlsSettings } from './tls-settings.ts';
import { readSmallFile } from '../../support/small-file.ts';

const DEFAULT_STATUSES = [{ from: 200, to: 399 }];

export interface ProbeDeps {
  /** `tcp` probes connect with it. */
  readonly engine: Engine;
  /** The other probes speak their protocols over these sockets, with Node's own clients. */
  readonly openSocket: DialDeps['openSocket'];
  /** Relative paths in the configuration start here. */
  readonly baseDir: string;
  /** The place of `health` in the configuration, such as `['upstreams', 'app', 'health']`, for errors. */
  readonly at: Path;
  /** Default: reads the file as UTF-8. */
  readonly readFile?: (path: string) => string;
  readonly setTimer: SetTimer;
  /** The header that checks begin with. */
  readonly sendProxy?: SendProxy['version'] | undefined;
  /** The TLS of sessions to the backends; absent: they have none. */
  readonly sessionTls?: SessionTls | undefined;
}

/**
 * Throws `Lb4Error` (`LB4_CONFIG_INVALID`) when a file that it needs cannot be read or is no PEM. With type `off`
 * there is nothing to check, and every probe passes.
 */
export function createProbe(health: HealthConfig, deps: ProbeDeps): Probe {
  const { setTimer, openSocket, sendProxy } = deps;
  const { timeout: timeoutMs, port, address } = health;
  // What listens elsewhere need not be what sessions reach.
  const isElsewhere = port !== undefined || address !== undefined;
  const sessionTls = isElsewhere ? undefined : deps.sessionTls;
  const tls = tlsOf(health, sessionTls, deps);
  const io = { openSocket, setTimer, sendProxy, tls };
  switch (health.type) {
    case 'tcp':
    case 'tls':
      return tls === undefined
        ? createTcpProbe(deps.engine, { timeoutMs, sendProxy })
        : createTlsProbe(timeoutMs, { ...io, tls });
    case 'http': {
      const { method = 'GET', path = '/', host, status, body } = health;
      const statuses = (status === undefined ? undefined : parseStatusRanges(status)) ?? DEFAULT_STATUSES;
      return createHttpProbe({ timeoutMs, method, path, host, statuses, body }, io);
    }
    case 'sendExpect':
      // The server's answer to the request for TLS says as much as that to the preset's question. Inside of TLS that
      // question is an error, which the server would log.
      if (tls !== undefined && health.preset === 'postgres' && sessionTls?.().starttls === 'postgres')
        return createTlsProbe(timeoutMs, { ...io, tls });
      return createSendExpectProbe({ timeoutMs, dialogue: dialogueOf(health) }, io);
    case 'off':
      return (_, done) => {
        done(PASSED);
        return () => undefined;
      };
  }
}

/** Undefined: the check is made in the clear. */
function tlsOf(
  { type, tls }: HealthConfig,
  sessionTls: SessionTls | undefined,
  { baseDir, at, readFile = readSmallFile }: ProbeDeps,
): TlsSettings | undefined {
  if (tls === false) return undefined;
  if (tls === undefined && type !== 'tls' && sessionTls === undefined) return undefined;
  return tlsSettings(tls ?? {}, { baseDir, at, readFile }, sessionTls);
}

function dialogueOf({ preset, send, sendHex, expect = '', expectPattern }: HealthConfig): Dialogue {
  if (preset !== undefined) return PRESETS[preset];
  const bytes =
    sendHex === undefined ? latin1(send) : Buffer.from(sendHex.replace(/\s/g, ''), 'hex').toString('latin1');
  const pass =
    expectPattern === undefined
      ? new RegExp(literally(latin1(expect) ?? ''))
      : new RegExp(expectPattern, 'm');
  const expected = expectPattern === undefined ? quoted(latin1(expect) ?? '') : `/${expectPattern}/`;
  return { ...(bytes === undefined ? {} : { send: bytes }), pass, expected };
}

/** The UTF-8 bytes of `text`, one character each. */
function latin1(text: string | undefined): string | undefined {
  return text === undefined ? undefined : Buffer.from(text).toString('latin1');
}

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}
