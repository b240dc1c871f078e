/** The files in deploy/ fit lb4 and each other. What docker and Kubernetes think of them cannot be tried here. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseAllDocuments, parse } from 'yaml';
import { loadConfigFile } from '../../src/config/source/load.ts';
import { parseConfig } from '../../src/config/source/parse.ts';
import type { Config } from '../../src/config/schema/schema.ts';
import { runProgram, skipWithout } from '../harness/programs.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const text = (path: string): string => readFileSync(`${root}deploy/${path}`, 'utf8');

interface Manifest {
  readonly kind: string;
  readonly [key: string]: unknown;
}

const manifests = parseAllDocuments(text('kubernetes/lb4.yaml')).map(document => document.toJS() as Manifest);

/** The value at a path of a manifest; undefined where there is none. */
function at(kind: string, ...path: readonly (string | number)[]): unknown {
  const manifest: unknown = manifests.find(each => each.kind === kind);
  return path.reduce<unknown>(
    (inner, key) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, key) : undefined),
    manifest,
  );
}

const POD = ['spec', 'template', 'spec'] as const;
const CONTAINER = [...POD, 'containers', 0] as const;

function podConfig(): Config {
  const parsed = parseConfig(parse(String(at('ConfigMap', 'data', 'lb4.yaml'))), { requireUnits: true });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.issues));
  return parsed.config;
}

void t.test('the configurations are valid', t => {
  const loaded = loadConfigFile(`${root}deploy/docker/lb4.yaml`, {});
  t.ok(loaded.ok, loaded.ok ? 'valid' : loaded.message);
  t.ok(podConfig());
  t.end();
});

void t.test('what ends a container waits for longer than lb4 needs to drain', t => {
  const { drain, drainTimeout } = podConfig();
  const sleepSeconds = Number(at('Deployment', ...CONTAINER, 'lifecycle', 'preStop', 'sleep', 'seconds'));
  const grace = Number(at('Deployment', ...POD, 'terminationGracePeriodSeconds'));
  t.ok(grace > sleepSeconds + (drain.delay + drainTimeout) / 1_000);
  const compose = loadConfigFile(`${root}deploy/docker/lb4.yaml`, {});
  const stop = Number(/stop_grace_period: (\d+)s/.exec(text('docker/compose.yaml'))?.[1]);
  t.ok(compose.ok && stop > (compose.config.drain.delay + compose.config.drainTimeout) / 1_000);
  t.end();
});

void t.test('the manifests name what the configuration has', t => {
  const { listeners, admin } = podConfig();
  const ports = at('Deployment', ...CONTAINER, 'ports') as readonly { name: string; containerPort: number }[];
  const portOf = (name: string): number | undefined => ports.find(each => each.name === name)?.containerPort;
  const [bind] = listeners[0]?.bind ?? [];
  t.equal(portOf('postgres'), bind?.kind === 'tcp' ? bind.port : undefined);
  t.equal(portOf('admin'), admin.bind?.kind === 'tcp' ? admin.bind.port : undefined);
  t.equal(at('Deployment', ...CONTAINER, 'readinessProbe', 'httpGet', 'path'), '/readyz');
  t.equal(at('Deployment', ...CONTAINER, 'livenessProbe', 'httpGet', 'path'), '/healthz');
  t.equal(at('Service', 'spec', 'ports', 0, 'targetPort'), 'postgres');
  const labels = at('Deployment', ...POD.slice(0, 2), 'metadata', 'labels');
  for (const [kind, ...path] of [
    ['Service', 'spec', 'selector'],
    ['Deployment', 'spec', 'selector', 'matchLabels'],
    ['PodDisruptionBudget', 'spec', 'selector', 'matchLabels'],
  ] as const) {
    t.same(at(kind, ...path), labels, kind);
  }
  t.end();
});

void t.test('lb4 runs without root and without capabilities, and writes nothing', t => {
  t.match(at('Deployment', ...CONTAINER, 'securityContext'), {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  });
  t.equal(at('Deployment', ...POD, 'securityContext', 'runAsNonRoot'), true);
  const compose = text('docker/compose.yaml');
  for (const line of ['read_only: true', 'cap_drop: [ALL]', "security_opt: ['no-new-privileges:true']"]) {
    t.match(compose, line);
  }
  const image = text('docker/Dockerfile');
  t.match(image.slice(image.lastIndexOf('FROM ')), /^USER 1000:1000$/m);
  t.end();
});

void t.test('unit and image start lb4 without the memory reducer of V8', t => {
  t.match(text('systemd/lb4.service'), /^ExecStart=\S+\/node --no-memory-reducer \S+\/lb4 /m);
  t.match(text('docker/Dockerfile'), /^ENTRYPOINT \["node", "--no-memory-reducer", "\S+\/lb4"\]$/m);
  t.end();
});

void t.test('yamllint accepts them', { skip: skipWithout('yamllint') }, async t => {
  const { code, stdout } = await runProgram('yamllint', [
    '--strict',
    '-c',
    `${root}deploy/.yamllint`,
    `${root}deploy`,
  ]);
  t.equal(code, 0, stdout);
});

void t.test('keepalived accepts its file', { skip: skipWithout('keepalived', 'curl') }, async t => {
  const { stderr, stdout } = await runProgram('keepalived', [
    '--config-test',
    '-f',
    `${root}deploy/keepalived/keepalived.conf`,
  ]);
  // A machine need not have the interface that is named there.
  const words = (stdout + stderr)
    .split('\n')
    .filter(line => line !== '' && !/eth0|virtual address|interface/i.test(line));
  t.same(words, []);
});

void t.test('bird accepts its file', { skip: skipWithout('bird') }, async t => {
  const { code, stderr } = await runProgram('bird', ['-p', '-c', `${root}deploy/bird/bird.conf`]);
  t.equal(code, 0, stderr);
});
