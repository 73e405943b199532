import { createHatchet } from '../../src/index.ts';
import { startEngine } from '../../src/testing/index.ts';
import { registerWorkflows } from '../support/workflows.ts';
import { registerContract } from './contract.ts';

registerContract({
  name: 'the embedded engine',
  async connect() {
    const engine = await startEngine({ concurrency: 200 });
    registerWorkflows(engine);
    return {
      token: engine.token,
      client: (options = {}) =>
        createHatchet({
          token: engine.token,
          serverUrl: engine.url,
          pollIntervalMs: 20,
          ...options,
          retry: { baseDelayMs: 5, ...options.retry },
        }),
      queuedRun: () => {
        const [id = ''] = engine.seedRuns({ count: 1, workflow: 'contract-quick', status: 'QUEUED' });
        return Promise.resolve(id);
      },
      close: () => engine.close(),
    };
  },
});
