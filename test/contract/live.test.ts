import { lastValueFrom } from 'rxjs';
import { expect, test } from 'vitest';
import { createHatchet, isHatchetError } from '../../src/index.ts';
import { eventually } from '../support/observe.ts';
import { registerContract } from './contract.ts';

/** Set by scripts/test-live.mjs: then a missing server or worker is a failure and no reason to do nothing. */
const isRequired = process.env['HATCHET_RX_LIVE'] === 'required';

/** Why the contract cannot be held against a real server; `undefined` if it can. */
async function hindrance(): Promise<string | undefined> {
  if ((process.env['HATCHET_CLIENT_TOKEN'] ?? '') === '') return 'HATCHET_CLIENT_TOKEN is not set';
  // The names of workflows without a namespace are the worker's.
  await using hatchet = createHatchet({ namespace: '', timeoutMs: 5_000, retry: { maxAttempts: 1 } });
  try {
    // A run that somebody works on: that the workflow is registered does not say that a worker is there.
    const ref = await lastValueFrom(hatchet.runs.trigger('contract-quick', {}, { waitTimeoutMs: 5_000 }));
    try {
      await lastValueFrom(ref.result$);
      return undefined;
    } catch {
      await lastValueFrom(ref.cancel());
      return "no worker serves the contract's workflows";
    }
  } catch (error) {
    if (!isHatchetError(error)) throw error;
    return error._tag === 'WorkflowNotFoundError' ? "the contract's workflows are not registered" : error.message;
  }
}

const reason = await hindrance();

// The suite cannot know before it asks whether there is a server.
// oxlint-disable-next-line vitest/no-conditional-tests
if (reason === undefined) {
  registerContract({
    name: 'a real Hatchet server',
    timeoutMs: 90_000,
    async connect() {
      const client = (options = {}) => createHatchet({ namespace: '', pollIntervalMs: 200, ...options });
      return {
        token: process.env['HATCHET_CLIENT_TOKEN'] ?? '',
        client,
        async queuedRun() {
          await using hatchet = client();
          const { id } = await lastValueFrom(hatchet.runs.trigger('contract-unserved', {}));
          await eventually(async () => (await lastValueFrom(hatchet.runs.getStatus(id))) === 'QUEUED');
          return id;
        },
        close: () => Promise.resolve(),
      };
    },
  });
} else {
  test(`not run against a real Hatchet server (${reason}); npm run test:live does`, () => {
    if (isRequired) throw new Error(reason);
    expect(reason).not.toBe('');
  });
}
