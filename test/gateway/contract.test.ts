import { createGateway, toNodeHandler } from '../../src/gateway/index.ts';
import { createHatchet } from '../../src/index.ts';
import { startEngine } from '../../src/testing/index.ts';
import { registerContract } from '../contract/contract.ts';
import { registerWorkflows } from '../support/workflows.ts';
import { serve } from './support/stand.ts';

const TOKEN = 'the-token-of-a-user-of-the-gateway';

registerContract({
  name: 'a gateway in front of the embedded engine',
  async connect() {
    const engine = await startEngine({ concurrency: 200 });
    registerWorkflows(engine);
    const owner = createHatchet({ token: engine.token, serverUrl: engine.url, pollIntervalMs: 20 });
    const gateway = createGateway({
      hatchet: owner,
      authorize: ({ headers }) => headers.get('authorization') === `Bearer ${TOKEN}`,
    });
    const server = await serve(toNodeHandler(gateway));
    return {
      token: TOKEN,
      client: (options = {}) =>
        createHatchet({
          token: TOKEN,
          serverUrl: server.url,
          pollIntervalMs: 20,
          ...options,
          retry: { baseDelayMs: 5, ...options.retry },
        }),
      queuedRun: () => {
        const [id = ''] = engine.seedRuns({ count: 1, workflow: 'contract-quick', status: 'QUEUED' });
        return Promise.resolve(id);
      },
      async close() {
        await gateway.close();
        await server.close();
        await owner.close();
        await engine.close();
      },
    };
  },
});
