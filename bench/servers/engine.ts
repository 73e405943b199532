// The embedded engine in a process of its own.
import { startEngine } from 'hatchet-rx/testing';
import { serve } from '../lib/server-process.ts';
import { seeded } from '../lib/statistics.ts';

/** How the engine is filled. */
export interface EngineParameters {
  /** Runs to put into the store, `stepMicros` apart from `since` on; their statuses, in- and outputs are seeded. */
  readonly runs?: number;
  readonly since?: string;
  readonly stepMicros?: number;
}

/** What the engine says when it is ready. */
export interface EngineReady {
  readonly url: string;
  readonly token: string;
  readonly tenantId: string;
}

/** What the engine has seen since it was asked last. */
export interface EngineSeen {
  /** How many requests of each operation. */
  readonly requests: Readonly<Record<string, number>>;
}

const { runs = 0, since, stepMicros = 1_000 } = JSON.parse(process.argv[2] ?? '{}') as EngineParameters;
const random = seeded(2);
const engine = await startEngine({ seed: 3, concurrency: 2_000, keepRequests: 1_000_000 });

engine.workflow('sleep', async ({ ms }, context) => {
  await context.sleep(Number(ms));
  return { slept: ms };
});

if (runs > 0) {
  engine.seedRuns({
    workflow: 'sleep',
    count: runs,
    since: since === undefined ? undefined : new Date(since),
    stepMicros,
    status: () => (random() < 0.9 ? 'COMPLETED' : 'FAILED'),
    additionalMetadata: (index) => ({ suite: 'bench', batch: String(index % 20) }),
    input: (index) => ({ index, customer: `customer-${Math.floor(random() * 1_000)}` }),
    output: (index) => ({ index, total: Math.round(random() * 10_000) / 100 }),
  });
}

let seen = 0;

const { url, token, tenantId } = engine;
serve({ url, token, tenantId } satisfies EngineReady, (): EngineSeen => {
  const requests: Record<string, number> = {};
  for (const { operation } of engine.requests.slice(seen)) requests[operation] = (requests[operation] ?? 0) + 1;
  seen = engine.requests.length;
  return { requests };
});
