/**
 * The error for each mistake in the configuration of the log, in plain words.
 */
import t from 'tap';
import { ACCESS_FIELDS } from '../../../src/model/access-fields.ts';
import { FACILITIES } from '../../../src/support/log-address.ts';
import { problems, withTop } from './small-inputs.ts';

const BAD: [name: string, input: unknown, line: string][] = [
  [
    'a file of the log without a path',
    withTop({ log: { to: { type: 'file' } } }),
    'log.to.path: missing; expected the path of a file',
  ],
  [
    'an address that no syslog has',
    withTop({ log: { access: { to: { type: 'syslog', address: 'loghost:514' } } } }),
    'log.access.to.address: expected unix:/path, udp:host:port or tcp:host:port, got "loghost:514"',
  ],
  [
    'what a destination of the log does not have',
    withTop({ log: { to: { type: 'journald', path: '/dev/log' } } }),
    'log.to.path: expected no path, because the type is journald, got "/dev/log"',
  ],
  [
    'a facility that syslog does not know',
    withTop({ log: { to: { type: 'syslog', facility: 'local8' } } }),
    `log.to.facility: expected one of ${FACILITIES.join(', ')}, got "local8"; did you mean "local0"?`,
  ],
  [
    'a facility where there is none',
    withTop({ log: { access: { to: { type: 'file', path: '/x', facility: 'daemon' } } } }),
    'log.access.to.facility: expected no facility, because the type is file, got "daemon"',
  ],
  [
    'fields of a format that has its own',
    withTop({ log: { access: { format: 'tcplog', fields: ['client'] } } }),
    'log.access.fields: expected no fields, because tcplog has its own, got a list',
  ],
  [
    'a field of the access log that does not exist',
    withTop({ log: { access: { fields: ['cleint'] } } }),
    `log.access.fields[0]: expected one of ${ACCESS_FIELDS.join(', ')}, got "cleint"; did you mean "client"?`,
  ],
];

for (const [name, input, line] of BAD) {
  void t.test(`${name}: the error says what was expected`, async t => {
    t.equal(problems(input), line);
  });
}
