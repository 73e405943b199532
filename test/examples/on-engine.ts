import { lastValueFrom, toArray } from 'rxjs';
import { vi } from 'vitest';
import { type Example, openPlayground, type Playground } from '../../examples/support/playground.ts';

/** Opens what an example runs on: always the embedded engine, whatever the environment says. */
export async function onEngine(example: Pick<Example, 'workflows'>): Promise<Playground> {
  vi.stubEnv('HATCHET_CLIENT_TOKEN', '');
  try {
    return await openPlayground(example);
  } finally {
    vi.unstubAllEnvs();
  }
}

/** The lines that an example prints. */
export async function linesOf(example: Example, ...args: readonly string[]): Promise<string[]> {
  await using playground = await onEngine(example);
  return await lastValueFrom(example.main(playground, args).pipe(toArray()));
}
