/**
 * Lint: type-checked rules, no floating promises, and the one-way imports of docs/architecture.md, as an allow-list
 * (scripts/rooms.mjs).
 */
import tseslint from 'typescript-eslint';
import rooms from './scripts/eslint-rooms.mjs';

/** `folder` may not import anything that matches `patterns`. */
const imports = (files, patterns, message) => ({
  files,
  rules: { 'no-restricted-imports': ['error', { patterns: [{ group: patterns, message }] }] },
});

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
    ignores: ['src/load-balancer.ts', 'src/log.ts', 'src/host/worker-main.ts', 'src/cli/**'],
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
  {
    files: ['bin/**/*.ts', 'src/**/*.ts', 'strategies/**/*.ts', 'pool/**/*.ts'],
    plugins: { rooms },
    rules: { 'rooms/imports': 'error' },
  },
  imports(
    ['src/control/mirror/**'],
    ['**/health/**', '**/upstream/**'],
    'the mirror knows counts, not who makes them',
  ),
  imports(
    ['scripts/**', 'bench/**'],
    ['**/test/**'],
    'what is not a test imports none: share it from src/ or bench/',
  ),
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
