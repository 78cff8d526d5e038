import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // The examples import the package by its name.
  resolve: { alias: { 'sidestep/uprobes': fileURLToPath(new URL('src/uprobes-api.ts', import.meta.url)) } },
  test: {
    include: ['test/**/*.test.ts'],
    // By default one core stays free, which on two means that tests run one by one.
    maxWorkers: '100%',
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
