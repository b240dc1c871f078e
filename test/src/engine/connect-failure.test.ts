/** The map from system codes to why a connect failed. */
import t from 'tap';

import { connectFailure } from '../../../src/engine/connect-failure.ts';

void t.test('a backend is blamed only for what it, or the way to it, has done', t => {
  const reasons = {
    ECONNREFUSED: 'refused',
    ENOENT: 'refused',
    ETIMEDOUT: 'timeout',
    ECONNRESET: 'reset',
    EPIPE: 'reset',
    EHOSTUNREACH: 'unreachable',
    ENETUNREACH: 'unreachable',
    EACCES: 'unreachable',
    EPERM: 'unreachable',
    EINVAL: 'unreachable',
    EMFILE: 'localResources',
    ENFILE: 'localResources',
    ENOBUFS: 'localResources',
    ENOMEM: 'localResources',
    EADDRNOTAVAIL: 'unreachable',
  };
  for (const [code, reason] of Object.entries(reasons)) {
    t.strictSame(connectFailure(code, 'tcp'), { reason, code });
  }
  t.end();
});

void t.test('EAGAIN is a full backlog on a unix socket, and a lack of ports on TCP', t => {
  t.equal(connectFailure('EAGAIN', 'unix').reason, 'refused');
  t.equal(connectFailure('EAGAIN', 'tcp').reason, 'localResources');
  t.end();
});
