/** A session that was served and closed by its client, as the access log gets it. */
import type { SessionRecord } from '../../src/model/session-record.ts';

export const RECORD: SessionRecord = {
  ...{ id: '2s', listener: 'web', upstream: 'app', clientAddress: '192.0.2.7', clientPort: 4711 },
  ...{ localAddress: '10.0.0.9:80', backend: '10.0.0.1:80', sourceAddress: '10.0.0.9:4000', attempts: 1 },
  ...{ tried: ['10.0.0.1:80'], warm: false, reused: false, startedAtMs: 1_700_000_000_123, durationMs: 53.4 },
  ...{ queuedMs: undefined, connectMs: 0.6, firstByteMs: 2, bytesFromClient: 1, bytesFromBackend: 1_204 },
  ...{ by: 'client', phase: 'relay', reason: 'closed' },
};
