/**
 * Whatever text is in an entry or a record, its line is one line in every form and frame, its columns and fields stay
 * where they are, and what a machine reads is what was written.
 */
import t from 'tap';
import { ACCESS_FIELDS } from '../../../src/model/access-fields.ts';
import { Events } from '../../../src/model/events.ts';
import type { SessionRecord } from '../../../src/model/session-record.ts';
import { logSessions } from '../../../src/observe/access-log.ts';
import { journalEntry, journalLine } from '../../../src/observe/destinations/journal.ts';
import { linesOf } from '../../../src/observe/destinations/messages.ts';
import { fileHeader, syslogLine, type SyslogNames } from '../../../src/observe/destinations/syslog.ts';
import { createLog } from '../../../src/observe/log.ts';
import { mayColour, type LogStyle } from '../../../src/observe/log-style.ts';
import { keepLines } from '../../harness/log-lines.ts';
import { fc } from '../../harness/properties.ts';
import { RECORD } from '../../harness/session-record.ts';

const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
const NAMES: SyslogNames = { facility: 'local3', app: 'lb4', host: 'ed\nge é', pid: 402 };
const RUNS = { numRuns: 300 };

/** Any code units, and what would end a line, a field, a quote, an escape or a colour. */
const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.integer({ min: 0, max: 0xffff }).map(unit => String.fromCharCode(unit)),
      fc.constantFrom(
        ...['\n', '\r\n', '\x1b[2J', '\x9b31m', '\u2028', '\u202e', '\ud800', '\udc00x', '\0', '\x7f'],
        ...[' ', '\t', '"', '\\', '=', ']', '<13>1 - - - - - - forged', '\nPRIORITY=0\n', '- -', '{}', '/'],
      ),
    ),
    { maxLength: 6 },
  )
  .map(parts => parts.join(''));

const record = fc
  .record({
    ...{ backend: hostile, sourceAddress: hostile, tried: fc.array(hostile) },
    ...{ serverName: hostile, tlsVersion: fc.constant('TLSv1.3'), alpn: hostile, clientCertificate: hostile },
  })
  .map((texts): SessionRecord => ({ ...RECORD, ...texts }));

const BARE = { format: 'text', isBare: true } as const;
const STYLES: Readonly<Record<string, LogStyle>> = {
  text: { format: 'text' },
  'coloured text': { format: 'text', isColoured: true },
  json: { format: 'json' },
  'syslog with text': { ...BARE, frame: (...line) => syslogLine(NAMES, ...line) },
  'syslog with JSON': { format: 'json', frame: (...line) => syslogLine(NAMES, ...line) },
  journal: { ...BARE, frame: journalLine },
  'journal with JSON': { format: 'json', frame: journalLine },
  'file for HAProxy’s readers': { ...BARE, frame: (_level, _event, line) => `${fileHeader(NAMES)}${line}` },
};

/** What is written of one entry with this text as its message and in a field. */
function entry(style: LogStyle, text: string): string {
  const { lines, written } = keepLines();
  createLog({ ...style, level: 'info', lines }).write('warn', 'backendDown', text, { reason: text });
  return written.join('\n');
}

/** What is written of one session. */
function session(style: LogStyle, ended: SessionRecord, isTcplog = false): string {
  const { lines, written } = keepLines();
  const events = new Events();
  logSessions(events, createLog({ ...style, level: 'info', lines }), { tcplog: isTcplog });
  events.emit('session:closed', ended);
  return written.join('\n');
}

const withoutColours = (line: string): string => line.replaceAll(/\x1b\[(?:2|22|3[1-9])m/g, '');

for (const [name, style] of Object.entries(STYLES)) {
  void t.test(
    `${name}: an entry and a session are one line without anything that cannot be printed`,
    async t => {
      fc.assert(
        fc.property(hostile, record, (text, ended) => {
          for (const line of [entry(style, text), session(style, ended), session(style, ended, true)]) {
            const plain = style.isColoured === true ? withoutColours(line) : line;
            if (UNPRINTABLE.test(plain)) throw new Error(JSON.stringify(line));
            if (Buffer.from(line).toString() !== line) throw new Error('not UTF-8');
          }
        }),
        RUNS,
      );
      t.pass();
    },
  );
}

void t.test('JSON has the texts as they were', async t => {
  fc.assert(
    fc.property(hostile, record, (text, ended) => {
      const read = JSON.parse(entry({ format: 'json' }, text)) as Record<string, unknown>;
      const { backend } = JSON.parse(session({ format: 'json' }, ended)) as Record<string, unknown>;
      return read['reason'] === text && (read['message'] ?? '') === text && backend === ended.backend;
    }),
    RUNS,
  );
  t.pass();
});

void t.test('as text every field of a session can be found, and nothing else', async t => {
  const pair = /(\w+)=("(?:[^"\\]|\\.)*"|[^ "]*)(?: |$)/gy;
  fc.assert(
    fc.property(record, ended => {
      const line = session(BARE, ended);
      const pairs = Array.from(line.matchAll(pair));
      if (pairs.map(([, key]) => key).join() !== ACCESS_FIELDS.join()) throw new Error(line);
      return pairs.map(([whole]) => whole).join('') === line;
    }),
    RUNS,
  );
  t.pass();
});

void t.test('a line of tcplog has nine columns', async t => {
  fc.assert(
    fc.property(record, ended => {
      const line = session(BARE, ended, true);
      if (line.split(/\s/).length !== 9) throw new Error(JSON.stringify(line));
    }),
    RUNS,
  );
  t.pass();
});

void t.test(
  'a message of RFC 5424 has its header, no structured data, and all of the text after it',
  async t => {
    const header = /^<(\d+)>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\S+) (\S+) (\d+) (\S+) - (.*)$/s;
    fc.assert(
      fc.property(hostile, hostile, (text, host) => {
        const line = entry({ ...BARE, frame: (...of) => syslogLine({ ...NAMES, host }, ...of) }, text);
        const [, priority, name = '', app, pid, id, rest] = header.exec(line) ?? [];
        if (priority !== String(19 * 8 + 4) || app !== 'lb4' || pid !== '402' || id !== 'backendDown')
          throw new Error(line);
        return /^[\x21-\x7e]{1,255}$/.test(name) && rest === entry(BARE, text);
      }),
      RUNS,
    );
    t.pass();
  },
);

void t.test('an entry of the journal has its five fields, each once', async t => {
  fc.assert(
    fc.property(hostile, text => {
      const line = Buffer.from(entry({ ...BARE, frame: journalLine }, text));
      const fields = [...linesOf(Buffer.from(journalEntry(NAMES, line)))].map(field => field.toString());
      const names = fields.map(field => field.slice(0, field.indexOf('=')));
      if (names.join() !== 'PRIORITY,SYSLOG_FACILITY,SYSLOG_IDENTIFIER,EVENT,MESSAGE')
        throw new Error(fields.join('|'));
      return fields[0] === 'PRIORITY=4' && fields[4] === `MESSAGE=${entry(BARE, text)}`;
    }),
    RUNS,
  );
  t.pass();
});

void t.test(
  'the level has a colour on a terminal, unless NO_COLOR is set or the terminal is a dumb one',
  async t => {
    t.ok(mayColour(true, {}));
    t.ok(mayColour(true, { NO_COLOR: '', TERM: 'xterm' }), 'an empty NO_COLOR is none (no-color.org)');
    t.notOk(mayColour(true, { NO_COLOR: '1' }));
    t.notOk(mayColour(true, { TERM: 'dumb' }));
    t.notOk(mayColour(false, { TERM: 'xterm' }));
    const line = entry({ format: 'text', isColoured: true }, 'x');
    t.match(line, /^\x1b\[2m\S+Z\x1b\[22m \x1b\[33mwarn \x1b\[39m x$/);
  },
);
