/** Hostile ClientHellos: whatever comes, the parser answers, and what it answers holds. */
import t from 'tap';
import {
  HELLO_MAX_BYTES_IN_RECORDS,
  HELLO_PROBLEMS,
  parseClientHello,
  type ParsedClientHello,
} from '../../src/codec/tls-client-hello/index.ts';
import {
  alpn,
  helloMessage,
  inRecords,
  serverName,
  supportedVersions,
  uint16,
  type Extension,
} from '../harness/client-hello.ts';
import { Chance, FUZZ_INPUTS, FUZZ_SEED, fuzzed } from '../harness/fuzz.ts';

const chance = new Chance();
// `npm run fuzz` takes as long as it takes.
t.setTimeout(3_600_000);

const NAMES = [
  'a.test',
  'WWW.Example.com',
  'localhost.',
  '192.0.2.1',
  '::1',
  'a\0b.test',
  'x'.repeat(64),
  '',
];

function text(): string {
  return chance.is(0.7) ? chance.of(NAMES) : chance.bytes(chance.number(20)).toString('latin1');
}

function extension(): Extension {
  switch (chance.number(6)) {
    case 0:
      return serverName(...Array.from({ length: 1 + Number(chance.is(0.1)) }, text));
    case 1:
      return serverName([chance.number(3), chance.bytes(chance.number(9))]);
    case 2:
      return alpn(...Array.from({ length: 1 + chance.number(3) }, () => chance.of(['h2', 'http/1.1', 'x'])));
    case 3:
      return supportedVersions(
        ...Array.from({ length: 1 + chance.number(3) }, () => chance.of([0x304, 0x303, 0x7a7a])),
      );
    default:
      return [chance.of([0, 16, 21, 43, 0xfe0d, chance.number(0x10000)]), chance.bytes(chance.number(30))];
  }
}

function message(): Buffer {
  const extensions = chance.is(0.05) ? null : Array.from({ length: chance.number(5) }, extension);
  const bytes = helloMessage({
    extensions,
    version: chance.of([0x0301, 0x0303, 0x0303, 0x0203]),
    sessionId: chance.bytes(chance.of([0, 32, 32, 33])),
    ciphers: chance.bytes(chance.of([2, 4, 3])),
  });
  // A length of its own.
  if (chance.is(0.1)) uint16(chance.number(0x10000)).copy(bytes, chance.is(0.5) ? 2 : 1);
  return chance.is(0.2) ? chance.mutated(bytes) : bytes;
}

function input(): Buffer {
  if (chance.is(0.03)) return chance.bytes(chance.number(60));
  if (chance.is(0.03)) return Buffer.concat([Buffer.from('1603010200', 'hex'), chance.bytes(60)]);
  if (chance.is(0.002))
    return inRecords(Buffer.concat([message(), Buffer.alloc(20_000)]), [1 + chance.number(20)]);
  const sizes = Array.from(
    { length: 1 + chance.number(4) },
    () => 1 + chance.number(chance.of([4, 100, 1_000])),
  );
  const bytes = inRecords(message(), chance.is(0.5) ? [16_384] : sizes);
  return Buffer.concat([chance.is(0.3) ? chance.mutated(bytes) : bytes, chance.bytes(chance.number(9))]);
}

/** What is wrong with an answer; undefined: nothing. */
function wrong(bytes: Buffer, parsed: ParsedClientHello): string | undefined {
  if (parsed.kind === 'incomplete') {
    if (parsed.bytes <= bytes.length) return 'it has what it asks for';
    return parsed.bytes > HELLO_MAX_BYTES_IN_RECORDS ? 'it asks for too much' : undefined;
  }
  if (parsed.kind === 'hello') {
    if (parsed.bytes > Math.min(bytes.length, HELLO_MAX_BYTES_IN_RECORDS))
      return 'it is longer than it can be';
    const { serverName } = parsed.hello;
    if (serverName !== undefined && !/^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/.test(serverName))
      return 'a name that is none';
    if (parsed.hello.alpn.some(protocol => protocol.length === 0)) return 'an empty protocol';
    // No byte less will do.
    if (parseClientHello(bytes.subarray(0, parsed.bytes - 1)).kind !== 'incomplete') return 'a byte too many';
  }
  // Whatever follows changes nothing.
  const more = parseClientHello(Buffer.concat([bytes, chance.bytes(1 + chance.number(8))]));
  return JSON.stringify(more) === JSON.stringify(parsed) ? undefined : 'more bytes change it';
}

void t.test(`${FUZZ_INPUTS} inputs: it never throws, and its answers hold (seed ${FUZZ_SEED})`, t => {
  fuzzed(t, {
    chance,
    input,
    parse: parseClientHello,
    wrong,
    kinds: ['hello', 'incomplete', 'absent', ...HELLO_PROBLEMS],
  });
  t.end();
});
