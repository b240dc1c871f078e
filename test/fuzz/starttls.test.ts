/** Hostile bytes before TLS, from PostgreSQL's clients and servers: both sides answer, and what they answer holds. */
import t from 'tap';
import { openingsOf } from '../../src/codec/starttls/index.ts';
import { HELLO_MAX_BYTES_IN_RECORDS } from '../../src/codec/tls-client-hello/index.ts';
import { alpn, helloMessage, inRecords } from '../harness/client-hello.ts';
import { Chance, FUZZ_INPUTS, FUZZ_SEED, fuzzed } from '../harness/fuzz.ts';

// `npm run fuzz` takes as long as it takes.
t.setTimeout(3_600_000);

const { server, client } = openingsOf('postgres')!;
const NUMBERS = [80_877_102, 80_877_102, 80_877_103, 80_877_103, 80_877_104, 196_608, 196_610, 131_072];

type FromServer = ReturnType<ReturnType<typeof server>['read']>;
type FromClient = ReturnType<(typeof client)['read']>;

/** In the words of the loop that plays them. */
function inWords(answer: FromServer | FromClient) {
  if (answer.kind === 'more')
    return { kind: 'incomplete', bytes: 'bytes' in answer ? answer.bytes : undefined };
  if (answer.kind === 'refuse') return { kind: 'refuse', problem: answer.code.replace(/:.*/s, '') };
  return { kind: answer.kind, take: 'take' in answer ? answer.take : 0 };
}

/** What has to be all that there is: with a byte behind it, it is refused. */
const mayChange = ({ kind, take }: ReturnType<typeof inWords>): boolean =>
  kind === 'incomplete' || kind === 'clear' || (take ?? 0) > 0;

void t.test(
  `${FUZZ_INPUTS} clients: they are answered, and nothing is left in the clear (seed ${FUZZ_SEED})`,
  t => {
    const chance = new Chance();
    const request = (): Buffer => {
      const body = chance.is(0.6) ? chance.bytes(chance.of([0, 0, 8])) : chance.bytes(chance.number(300));
      const head = Buffer.alloc(8);
      head.writeUInt32BE(chance.is(0.9) ? 8 + body.length : chance.number(20_000), 0);
      head.writeUInt32BE(chance.of(NUMBERS), 4);
      return Buffer.concat([head, body, chance.bytes(chance.is(0.1) ? chance.number(20) : 0)]);
    };
    const hello = (): Buffer => {
      const extensions = [alpn(chance.of(['postgresql', 'postgresql', 'h2']))];
      return inRecords(helloMessage({ extensions }), [1 + chance.number(200)]);
    };
    fuzzed(t, {
      chance,
      input: () => {
        if (chance.is(0.05)) return chance.bytes(chance.number(40));
        const bytes = chance.is(0.3) ? hello() : request();
        return chance.is(0.3) ? chance.mutated(bytes) : bytes;
      },
      parse: bytes => inWords(server().read(bytes)),
      wrong: (bytes, { kind, take, bytes: wanted = 0 }) => {
        if (kind === 'incomplete') {
          if (wanted <= bytes.length) return 'it has what it asks for';
          return wanted > HELLO_MAX_BYTES_IN_RECORDS ? 'it asks for too much' : undefined;
        }
        if (kind === 'clear')
          return bytes.length === bytes.readUInt32BE(0) ? undefined : 'more than a cancel';
        if (kind === 'refuse' || (kind === 'tls' && take === 0 && bytes[0] === 0x16)) return undefined;
        return take === 8 && bytes.length === 8 ? undefined : 'bytes are left in the clear';
      },
      mayChange,
      kinds: [
        ...['tls', 'again', 'clear', 'incomplete'],
        ...['NOT_ENCRYPTED', 'EARLY_DATA', 'NOT_POSTGRES', 'NO_ALPN', 'BAD_CLIENT_HELLO'],
      ],
    });
    t.end();
  },
);

void t.test(`${FUZZ_INPUTS} servers: only S and nothing else leads to TLS (seed ${FUZZ_SEED})`, t => {
  const chance = new Chance();
  const words = ['Ecould not fork\0', 'E\0\0\0\x20SFATAL\0C53300\0Mtoo many\0\0', 'S', 'S', 'N', 'S\x16', ''];
  fuzzed(t, {
    chance,
    input: () => {
      if (chance.is(0.05)) return Buffer.concat([Buffer.from('E'), Buffer.alloc(chance.number(3_000), 'e')]);
      const bytes = chance.is(0.1)
        ? chance.bytes(chance.number(40))
        : Buffer.from(chance.of(words), 'latin1');
      return chance.is(0.3) ? chance.mutated(bytes) : bytes;
    },
    parse: bytes => {
      const answer = client.read(bytes);
      if (answer.kind === 'refuse' && !/^[ -~\xa0-\xff]{1,500}$/.test(answer.code))
        throw new Error('a code that is none');
      return inWords(answer);
    },
    wrong: (bytes, { kind }) => {
      if (kind === 'incomplete')
        return bytes.length === 0 || (bytes[0] === 0x45 && bytes.length < 1_024)
          ? undefined
          : 'it waits for more';
      return (kind === 'tls') === (bytes.toString('latin1') === 'S') ? undefined : 'TLS without S alone';
    },
    mayChange,
    kinds: ['tls', 'incomplete', 'NO_TLS', 'EARLY_DATA', 'NOT_POSTGRES', 'SERVER_ERROR'],
  });
  t.end();
});
