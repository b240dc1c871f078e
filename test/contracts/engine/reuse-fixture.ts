/**
 * Clients that share a backend's connection, for the parts of the engine suite about `reuse`.
 */
import type { Test } from 'tap';

import type { Connection, Engine } from '../../../src/engine/engine.ts';
import { startBackend, type Script } from '../../harness/backend.ts';
import { connectClient } from '../../harness/client.ts';
import type { Peer } from '../../harness/peer.ts';
import { until } from '../../harness/until.ts';
import { anywhere, connected, listen, startRelay, type Family, type Joined } from './fixture.ts';

export interface Reusing extends Joined {
  readonly backendConnection: Connection;
  /** Joins another client with a connection to the backend. */
  readonly again: (
    backendConnection: Connection,
  ) => Promise<{ readonly client: Peer } & ReturnType<typeof startRelay>>;
}

/** One client joined with a backend, with `reuse`. */
export async function joinForReuse(
  t: Test,
  engine: Engine,
  script?: Script,
  family: Family = 'IPv4',
): Promise<Reusing> {
  const backend = await startBackend(t, script, anywhere(t, family));
  const { listener, clients } = await listen(t, engine, anywhere(t, family));
  let sessions = 0;
  const again: Reusing['again'] = async backendConnection => {
    const session = sessions++;
    const client = await connectClient(t, listener.address);
    await until('the engine has the client', () => clients.length > session);
    return { client, ...startRelay(t, engine, clients[session]!, backendConnection, { reuse: true }) };
  };
  const backendConnection = await connected(t, engine, backend.address);
  const peer = await backend.next();
  return { ...(await again(backendConnection)), backend: peer, backendConnection, again };
}

/** One request and its answer. */
export async function exchange({ client, backend }: Pick<Joined, 'client' | 'backend'>): Promise<void> {
  await client.send('question');
  await backend.untilText('question');
  await backend.send('answer!');
  await client.untilText('answer!');
}

/** The connection that the client has left clean. */
export async function leaveClean(t: Test, reusing: Reusing): Promise<Connection> {
  await exchange(reusing);
  reusing.client.halfClose();
  const { cleanBackend } = await reusing.ended();
  t.equal(cleanBackend, reusing.backendConnection);
  return cleanBackend!;
}
