// Only what oxlint cannot know: the rules of RxJS.
import tseslint from 'typescript-eslint';
import rxjsX from 'eslint-plugin-rxjs-x';

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', 'test/fixtures/**', '**/*.mjs', '**/*.js'] },
  {
    files: ['src/**/*.ts', 'examples/**/*.ts'],
    languageOptions: { parser: tseslint.parser, parserOptions: { project: './tsconfig.json' } },
    plugins: { 'rxjs-x': rxjsX },
    rules: {
      'rxjs-x/no-async-subscribe': 'error',
      'rxjs-x/no-create': 'error',
      'rxjs-x/no-exposed-subjects': 'error',
      'rxjs-x/no-floating-observables': 'error',
      'rxjs-x/no-ignored-notifier': 'error',
      'rxjs-x/no-misused-observables': 'error',
      'rxjs-x/no-topromise': 'error',
      'rxjs-x/no-internal': 'error',
      'rxjs-x/no-nested-subscribe': 'error',
      'rxjs-x/no-sharereplay': 'error',
      'rxjs-x/no-subject-unsubscribe': 'error',
      'rxjs-x/no-unbound-methods': 'error',
      'rxjs-x/no-unsafe-takeuntil': 'error',
      'rxjs-x/throw-error': 'error',
    },
  },
);
