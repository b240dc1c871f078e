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
import { tlsSettings, type TlsSettings } from './tls-settings.ts';
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
}

/**
 * Throws `Lb4Error` (`LB4_CONFIG_INVALID`) when a file that it needs cannot be read or is no PEM. With type `off`
 * there is nothing to check, and every probe passes.
 */
export function createProbe(health: HealthConfig, deps: ProbeDeps): Probe {
  const { setTimer, openSocket, sendProxy } = deps;
  const io = { openSocket, setTimer, sendProxy };
  const { timeout: timeoutMs } = health;
  switch (health.type) {
    case 'tcp':
      return createTcpProbe(deps.engine, { timeoutMs, sendProxy });
    case 'tls':
      return createTlsProbe({ timeoutMs, tls: tlsOf(health.tls ?? { verify: true }, deps) }, io);
    case 'http': {
      const { method = 'GET', path = '/', host, status, body, tls } = health;
      const statuses = (status === undefined ? undefined : parseStatusRanges(status)) ?? DEFAULT_STATUSES;
      const handshake = tls === undefined ? undefined : tlsOf(tls, deps);
      return createHttpProbe({ timeoutMs, method, path, host, statuses, body, tls: handshake }, io);
    }
    case 'sendExpect':
      return createSendExpectProbe({ timeoutMs, dialogue: dialogueOf(health) }, io);
    case 'off':
      return (_, done) => {
        done(PASSED);
        return () => undefined;
      };
  }
}

function tlsOf(tls: Parameters<typeof tlsSettings>[0], { baseDir, at, readFile }: ProbeDeps): TlsSettings {
  return tlsSettings(tls, { baseDir, at, readFile: readFile ?? readSmallFile });
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
