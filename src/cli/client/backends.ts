/** `lb4 backends`, `ready`, `drain`, `maint`, `weight`, `add` and `remove`: the backends of a running lb4. */
import type { BackendView, UpstreamView } from '../../model/snapshot.ts';
import { printable } from '../../support/printable.ts';
import { counted } from '../../support/counted.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { AdminClient } from './admin-client.ts';
import { backendsOut } from './attention.ts';
import { ClientError, type ClientOptions } from './admin-client.ts';
import { runClient, showClient, type OutputOptions, type Surroundings } from './client-command.ts';
import { paragraph } from './paragraph.ts';
import { formatTable } from './table.ts';
import { answerWithin, timeoutOf, untilDrained, type WaitOptions } from './wait.ts';

/** Which backend a command is about. */
export interface Named {
  readonly upstream: string;
  readonly backend: string;
}

export interface ChangeOptions extends ClientOptions, WaitOptions {
  readonly json?: boolean;
}

export async function showBackends(upstream: string | undefined, options: OutputOptions): Promise<ExitCode> {
  return showClient(options, async ({ client, width }) => {
    const answer =
      upstream === undefined
        ? ((await client.ask('GET', '/api/v1/upstreams')) as { readonly upstreams: readonly UpstreamView[] })
        : {
            upstreams: [
              (await client.ask('GET', `/api/v1/upstreams/${encodeURIComponent(upstream)}`)) as UpstreamView,
            ],
          };
    return { answer, text: () => backendsText(answer.upstreams, width) };
  });
}

export function backendsText(upstreams: readonly UpstreamView[], width: number): string {
  const rows = upstreams.flatMap(({ name, backends }) =>
    backends.map(backend => [
      name,
      backend.backend,
      backend.state,
      backend.health,
      backend.weight,
      backend.maxSessions === undefined ? backend.sessions : `${backend.sessions}/${backend.maxSessions}`,
    ]),
  );
  const table = formatTable(
    [
      { name: 'UPSTREAM', mayShrink: true },
      { name: 'BACKEND', mayShrink: true },
      { name: 'STATE' },
      { name: 'HEALTH' },
      { name: 'WEIGHT', isNumber: true },
      { name: 'SESSIONS', isNumber: true },
    ],
    rows,
    width,
  );
  const out = upstreams.flatMap(backendsOut).map(text => paragraph(text, width));
  return out.length === 0 ? table : `${table}\n${out.join('')}`;
}

/** Sets the state; with `--wait` returns when the backend has no session any more. */
export async function setState(
  at: Named,
  state: 'ready' | 'drain' | 'maint',
  options: ChangeOptions,
): Promise<ExitCode> {
  return runClient(options, async surroundings => {
    const { client } = surroundings;
    const timeoutMs = timeoutOf(options);
    const answer = await client.ask('PATCH', pathOf(at), { state }, answerWithin(timeoutMs));
    show(at.upstream, answer as BackendView, options, surroundings);
    if (options.wait === true) await waitForBackend(client, at, timeoutMs);
  });
}

export async function setWeight(at: Named, weight: string, options: ChangeOptions): Promise<ExitCode> {
  return runClient(options, async surroundings => {
    const body = { weight: numberOf('the weight', weight) };
    const backend = (await surroundings.client.ask('PATCH', pathOf(at), body)) as BackendView;
    show(at.upstream, backend, options, surroundings);
  });
}

export interface AddOptions extends ChangeOptions {
  readonly weight?: string;
  readonly maxSessions?: string;
  readonly backup?: boolean;
}

export async function addBackend(at: Named, options: AddOptions): Promise<ExitCode> {
  return runClient(options, async surroundings => {
    const { weight, maxSessions, backup } = options;
    const body = {
      ...(weight === undefined ? {} : { weight: numberOf('--weight', weight) }),
      ...(maxSessions === undefined ? {} : { maxSessions: numberOf('--max-sessions', maxSessions) }),
      ...(backup === undefined ? {} : { backup }),
    };
    const backend = (await surroundings.client.ask('PUT', pathOf(at), body)) as BackendView;
    show(at.upstream, backend, options, surroundings);
  });
}

export async function removeBackend(
  at: Named,
  options: ChangeOptions & { force?: boolean },
): Promise<ExitCode> {
  return runClient(options, async ({ client, write }) => {
    const path = options.force === true ? `${pathOf(at)}?force=true` : pathOf(at);
    const timeoutMs = timeoutOf(options);
    const answer = (await client.ask('DELETE', path, undefined, answerWithin(timeoutMs))) as {
      readonly backend: string;
      readonly sessions: number;
    };
    const left = answer.sessions === 0 ? '' : `; ${counted(answer.sessions, 'session')} left`;
    const words = printable(`${at.upstream} ${answer.backend}: removed${left}`);
    write(options.json === true ? `${JSON.stringify(answer)}\n` : `${words}\n`);
    if (options.wait === true) await waitForBackend(client, at, timeoutMs);
  });
}

function show(
  upstream: string,
  backend: BackendView,
  { json }: ChangeOptions,
  { write }: Surroundings,
): void {
  const { backend: address, state, weight, sessions } = backend;
  const takes = backend.takesSessions ? 'takes sessions' : 'takes no new sessions';
  const words = `${upstream} ${address}: ${state}, ${takes}, weight ${weight}, ${counted(sessions, 'session')}`;
  write(json === true ? `${JSON.stringify(backend)}\n` : `${printable(words)}\n`);
}

function waitForBackend(client: AdminClient, at: Named, timeoutMs: number): Promise<void> {
  return untilDrained(timeoutMs, async within => {
    try {
      const { sessions } = (await client.ask('GET', pathOf(at), undefined, within)) as BackendView;
      return { left: sessions, isOver: sessions === 0 };
    } catch (error) {
      // A backend that was removed is gone with its last session.
      if (error instanceof ClientError && error.status === 404) return { left: 0, isOver: true };
      throw error;
    }
  });
}

function pathOf({ upstream, backend }: Named): string {
  return `/api/v1/upstreams/${encodeURIComponent(upstream)}/backends/${encodeURIComponent(backend)}`;
}

function numberOf(what: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new ClientError(`${what}: expected an integer, got ${text}`, { isUsage: true });
}
