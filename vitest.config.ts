import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The tests run on the sources; test/packaging runs on what is published.
  ssr: { resolve: { conditions: ['@hatchet-rx/source'] } },
  resolve: { conditions: ['@hatchet-rx/source'] },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    typecheck: { enabled: true, include: ['test/types/**/*.test-d.ts'], tsconfig: 'tsconfig.json' },
  },
});
