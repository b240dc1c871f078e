/** No issue ever shows a password or a user, however the configuration is broken. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadConfig } from '../../../../src/config/source/load.ts';
import { parseConfig } from '../../../../src/config/source/parse.ts';
import { fc } from '../../../harness/properties.ts';
import { withTop } from '../small-inputs.ts';

const file = join(t.testdir({}), 'lb4.yaml');
const REST = `
listeners: [{ name: web, bind: ':1', upstream: app }]
upstreams: [{ name: app, backends: ['10.0.0.1:80'] }]
`;

/** What is to be seen nowhere: both ends of the password and of the user, so that a part of one is found, too. */
const SECRET = /Zq7|Xk9|Wj4|Vh6/;
/** Around what may split a value in two, for YAML or in a URL. */
const between = fc
  .array(
    fc.constantFrom(
      ...Array.from('@/:#%?[]{}, \n\t\'"\\&*!|>$='),
      '${',
      '${A}',
      '$${',
      '%4',
      '%zz',
      '://',
      ': ',
      ' #',
      ', ',
      '\\U',
    ),
    { maxLength: 4 },
  )
  .map(pieces => pieces.join(''));
const user = fc.tuple(fc.constant('Wj4'), between, fc.constant('Vh6')).map(parts => parts.join(''));
const password = fc.tuple(fc.constant('Zq7'), between, fc.constant('Xk9')).map(parts => parts.join(''));

const scheme = fc.constantFrom(
  ...['redis://', 'rediss+sentinel://', 'redis+cluster://', 'REDIS://', 'redis:', 'http://', '', '\n'],
);
const tail = fc.constantFrom(
  '@h:99999',
  '@h:6379/x',
  '@h:x',
  '@',
  '',
  '@h?x',
  '@h,',
  '@[::1',
  '@h/m/x',
  '@${HOST}:0',
);
/** Mostly malformed, but for the user and the password in it. */
const url = fc.tuple(scheme, user, password, tail).map(([start, u, p, end]) => `${start}${u}:${p}${end}`);

let told = 0;
const isSilent = (text: string): boolean => {
  told++;
  return !SECRET.test(text);
};

void t.test('not in what is said of a configuration given as data', async t => {
  const wrong = fc.oneof(
    url.map(text => ({ url: text })),
    url,
    url.map(text => [text]),
    url.map(text => ({ url: [text] })),
    url.map(text => ({ url: { [text]: 1 } })),
    url.map(text => ({ urrl: text })),
    url.map(text => ({ [text]: null })),
    fc
      .tuple(user, password)
      .map(([u, p]) => ({ url: 5, username: u.repeat(100), passwordFile: p.repeat(2000) })),
    fc.tuple(user, password).map(([u, p]) => ({ url: 'redis://a:b@h', username: u, passwordFile: p })),
  );
  fc.assert(
    fc.property(wrong, redis => {
      const parsed = parseConfig(withTop({ redis }), { requireUnits: true });
      if (parsed.ok) return true;
      return parsed.issues.every(({ expected, got, message, suggestion = '' }) =>
        isSilent([expected, got, message, suggestion].join()),
      );
    }),
    { numRuns: 400 },
  );
  t.ok(told > 300, 'and there was much to say');
});

void t.test('not in what is said of a file, however its YAML is written', async t => {
  told = 0;
  const quoted = (text: string): string[] => [
    `"${text}"`,
    JSON.stringify(text),
    `'${text}'`,
    `'${text.replaceAll("'", "''")}'`,
    text,
    `|\n    ${text}`,
  ];
  const line = fc.tuple(url, fc.nat({ max: 5 }), fc.nat({ max: 6 })).map(([text, how, where]) => {
    // What begins a line of its own would be another key of the file, of which nothing is known.
    const value = quoted(text.replaceAll('\n', '\n    ').trim())[how] ?? text;
    const forms = [
      `redis: { url: ${value} }`,
      `redis:\n  url: ${value}\n  publish: 1ms`,
      `redis: ${value}`,
      `redis: { ${value} }`,
      `redis: [${value}]`,
      `redis:\n  url: | ${value}`,
      `redis: { username: ${value}, sentinelUsername: ${value} }`,
    ];
    return forms[where] ?? value;
  });
  // Variables are set or not; what they hold is as secret as the rest.
  const env = fc.constantFrom({}, { A: 'Zq7@/Xk9' }, { A: 'x', HOST: 'h' }, { A: 'Wj4', HOST: 'Vh6 ' });
  fc.assert(
    fc.property(line, env, (text, variables) => {
      writeFileSync(file, text + REST);
      const loaded = loadConfig({ file, env: variables });
      if (loaded.ok) return true;
      if (loaded.kind === 'unreadable') return isSilent(loaded.message);
      return [loaded, ...loaded.issues].every(issue =>
        isSilent([issue.message, 'got' in issue ? issue.got + issue.expected : ''].join()),
      );
    }),
    // The example reads as a key and an alias.
    { numRuns: 500, examples: [['redis: { redis://Wj4Vh6:Zq7: *Xk9@h:99999 }', {}]] },
  );
  t.ok(told > 300, 'and there was much to say');
});

void t.test('not in what is said of --redis and LB4_REDIS', async () => {
  fc.assert(
    fc.property(url, fc.constantFrom('flag', 'environment'), (redis, source) => {
      const loaded = loadConfig({ flags: { backends: 'a:1', redis }, sourceOf: () => source, env: {} });
      if (loaded.ok) return true;
      const option = source === 'flag' ? '--redis' : 'LB4_REDIS';
      return loaded.message.startsWith(`${option}: expected `) && isSilent(loaded.message);
    }),
    { numRuns: 200 },
  );
});

void t.test('a URL that is a variable as a whole is told by the name of the variable', async t => {
  writeFileSync(file, `redis: { url: '\${REDIS_URL}' }${REST}`);
  const loaded = loadConfig({ file, env: { REDIS_URL: 'redis://Wj4:Zq7@h:x' } });
  t.ok(!loaded.ok);
  t.match(
    loaded.ok || loaded.message,
    /^\S+:1:15 {2}redis\.url: expected a port from 1 to 65535.*, got "\$\{REDIS_URL\}"$/,
  );
});

void t.test('a piece of a password that YAML takes for a key is not shown, a mistyped key is', async t => {
  const said = (text: string): string => {
    writeFileSync(file, text + REST);
    const loaded = loadConfig({ file, env: {} });
    return loaded.ok ? '' : loaded.message.replaceAll(file, 'F');
  };
  const keys = 'url, username, passwordFile, sentinelUsername, sentinelPasswordFile, tls, publish, instance';
  t.match(
    said('redis: { url: redis://u:Zq7,Xk9@h }'),
    `F:1:29  redis: unknown key (not shown); expected one of the keys ${keys}`,
  );
  t.match(
    said('redis: { url: redis://u:a,Zq7,Zq7,Xk9@h }'),
    /^F:1:\d+ {2}redis: given twice; it stands in line 1 already$/m,
  );
  t.match(said('redis: { ulr: redis://h }'), /unknown key "ulr"; did you mean "url"\?/);
});
