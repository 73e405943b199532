import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The tests run on the sources; test/packaging runs on what is published.
  ssr: { resolve: { conditions: ['@hatchet-rx/source'] } },
  resolve: { conditions: ['@hatchet-rx/source'] },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // Most tests go over real sockets: on a busy CI machine one of thousands gets a second chance; elsewhere none does.
    retry: process.env['CI'] === undefined ? 0 : 1,
    typecheck: { enabled: true, include: ['test/types/**/*.test-d.ts'], tsconfig: 'tsconfig.json' },
  },
});
