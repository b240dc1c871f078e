/**
 * Lint: type-checked rules, no floating promises, and the one-way imports of docs/architecture.md:
 * bin → src/cli → src/load-balancer.ts → planes → leaves.
 */
import tseslint from 'typescript-eslint';

/** `folder` may not import anything that matches `patterns`. */
const imports = (files, patterns, message) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group: patterns, message }] }] },
});

const CONTROL_AND_ABOVE = [
  '**/cli/**',
  '**/load-balancer.ts',
  '**/health/**',
  '**/observe/**',
  '**/upstream/upstream.ts',
  '**/config/**',
];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.tap/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      eqeqeq: 'error',
      'no-console': 'error',
      'max-lines': ['error', { max: 350 }],
    },
  },
  {
    files: ['src/**/*.ts', 'strategies/**/*.ts', 'pool/**/*.ts'],
    ignores: ['src/load-balancer.ts', 'src/host/worker-main.ts', 'src/cli/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'take the injected clock' },
        { object: 'performance', property: 'now', message: 'take the injected clock' },
        { object: 'Math', property: 'random', message: 'take the injected randomness' },
      ],
    },
  },
  {
    files: ['src/**/*.ts', 'strategies/**/*.ts', 'pool/**/*.ts'],
    ignores: [
      // The two that wrap them.
      'src/support/timer.ts',
      'pool/timer.ts',
      // Where the clock is the real one: the composition root, the command, a thread's main program.
      'src/load-balancer.ts',
      'src/control/control-plane.ts',
      'src/host/worker-fleet.ts',
      'src/host/worker-main.ts',
      'src/cli/**',
    ],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'setTimeout', message: 'take the injected SetTimer' },
        { name: 'setInterval', message: 'take the injected SetTimer' },
      ],
    },
  },
  {
    // winston's types declare its transports as interfaces, so the rule cannot see that they are instances.
    files: ['src/observe/log.ts'],
    rules: { '@typescript-eslint/no-unsafe-class-instance-assignment': 'off' },
  },
  imports(
    ['strategies/**'],
    ['**/src/**', '**/pool/**'],
    'strategies/ is a leaf: it imports nothing from src/',
  ),
  imports(['pool/**'], ['**/src/**', '**/strategies/**'], 'pool/ is a leaf: it imports nothing from src/'),
  imports(['src/support/**'], ['../*'], 'src/support is a leaf'),
  imports(
    ['src/shared-memory/**'],
    ['../!(support)/**', '../!(errors).ts'],
    'shared memory knows numbers, not who reads them',
  ),
  imports(
    ['src/engine/**'],
    [...CONTROL_AND_ABOVE, '**/session/**', '**/dispatch/**', '**/listener/**'],
    'an engine knows connections, not sessions',
  ),
  imports(
    ['src/data/**'],
    CONTROL_AND_ABOVE,
    'the data plane imports nothing from control or observation',
  ),
  imports(
    ['src/config/**', 'src/control/**'],
    ['**/cli/**', '**/load-balancer.ts', '**/observe/**', '**/session/**', '**/listener/**'],
    'control imports neither the data plane nor what stands above it',
  ),
  imports(
    ['src/control/mirror/**'],
    [
      '**/cli/**',
      '**/load-balancer.ts',
      '**/health/**',
      '**/observe/**',
      '**/upstream/**',
      '**/dispatch/**',
      '**/session/**',
      '**/listener/**',
    ],
    'the mirror knows counts, not who makes them',
  ),
  imports(['src/names/**'], ['../!(support)/**', '../!(errors).ts'], 'names are resolved for whoever asks'),
  imports(
    ['src/observe/**'],
    ['**/cli/**', '**/load-balancer.ts', '**/session/session.ts', '**/listener/**', '**/dispatch/**'],
    'observers see events and records only',
  ),
  imports(
    ['src/host/**'],
    ['**/cli/**', '**/load-balancer.ts', '**/health/**', '**/observe/**', '**/upstream/upstream.ts'],
    'workers are the data plane and its control, nothing else',
  ),
  imports(
    ['src/load-balancer.ts', 'src/host/build-data-plane.ts', 'src/composition/**'],
    ['**/cli/**'],
    'the library knows nothing of the command line',
  ),
  imports(
    ['src/sim/**'],
    ['**/cli/**', '**/load-balancer.ts', '**/host/**', '**/session/**', '**/listener/**', '**/test/**'],
    'a simulation runs the shipped rules, without sockets and threads',
  ),
  imports(
    ['scripts/**', 'bench/**'],
    ['**/test/**'],
    'what is not a test imports none: share it from src/ or bench/',
  ),
  imports(
    ['bin/**'],
    ['../strategies/**', '../pool/**', '../src/!(cli)/**'],
    'bin starts the command line, nothing else',
  ),
  {
    // By the rule's twin, so that it holds beside those above.
    files: ['src/**/*.ts', 'bin/**/*.ts', 'strategies/**/*.ts', 'pool/**/*.ts'],
    ignores: ['src/sim/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['**/sim/**', '**/test/**'],
              message: 'neither simulations nor tests are in the package',
            },
          ],
        },
      ],
    },
  },
  { files: ['**/*.{js,mjs}'], extends: [tseslint.configs.base] },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 400 }],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      // tap's test functions are async so that what they throw is a failed test.
      '@typescript-eslint/require-await': 'off',
    },
  },
);
