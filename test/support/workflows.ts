import { type Engine, NonRetryableError } from '../../src/testing/index.ts';

/**
 * The contract's workflows on an embedded engine. scripts/live/worker.mjs defines the same for a real server, with the
 * official SDK; what is changed here is to be changed there.
 */
export function registerWorkflows(engine: Engine): void {
  engine.workflow('contract-quick', ({ n = 0 }) => ({ ok: true, n }));
  engine.dag('contract-dag', {
    first: { run: () => ({ step: 1 }) },
    second: { parents: ['first'], run: (_, ctx) => ({ step: 2, got: ctx.parentOutput('first') }) },
  });
  engine.dag('contract-dag-slow', {
    begin: {
      timeoutMs: 600_000,
      run: async ({ ms = 0 }, ctx) => {
        await ctx.sleep(ms);
        return { begun: true };
      },
    },
    finish: { parents: ['begin'], run: () => ({ finished: true }) },
  });
  engine.dag('contract-dag-fail', {
    good: { run: () => ({ good: true }) },
    bad: {
      parents: ['good'],
      run: () => {
        throw new Error('the step broke');
      },
    },
    after: { parents: ['bad'], run: () => ({ after: true }) },
  });
  engine.workflow(
    'contract-slow',
    async ({ ms = 0 }, ctx) => {
      await ctx.sleep(ms);
      return { slept: ms };
    },
    { timeoutMs: 600_000 },
  );
  engine.workflow('contract-fail', () => {
    throw new Error('it broke');
  });
  engine.workflow(
    'contract-fail-retries',
    () => {
      throw new Error('it broke again');
    },
    { retries: 2 },
  );
  engine.workflow(
    'contract-flaky',
    (_, ctx) => {
      if (ctx.retryCount < 2) throw new Error(`attempt ${ctx.retryCount} broke`);
      return { attempt: ctx.retryCount };
    },
    { retries: 3 },
  );
  // Fails, and then waits for its retry longer than any test does.
  engine.workflow(
    'contract-backoff',
    (_, ctx) => {
      if (ctx.retryCount === 0) throw new Error('it will be retried');
      return { attempt: ctx.retryCount };
    },
    { retries: 1, backoff: { factor: 300, maxSeconds: 300 } },
  );
  // Fails at first, and succeeds when it is replayed.
  engine.workflow('contract-second-time', async ({ ms = 0 }, ctx) => {
    if (ctx.retryCount === 0) throw new Error('not the first time');
    await ctx.sleep(ms);
    return { attempt: ctx.retryCount };
  });
  // Takes its time from the second attempt on.
  engine.workflow('contract-attempt', async ({ ms = 0 }, ctx) => {
    if (ctx.retryCount > 0) await ctx.sleep(ms);
    return { attempt: ctx.retryCount };
  });
  engine.workflow(
    'contract-nonretryable',
    () => {
      throw new NonRetryableError('never again');
    },
    { retries: 3 },
  );
  engine.workflow(
    'contract-timeout',
    async (_, ctx) => {
      await ctx.sleep(60_000);
      return {};
    },
    { timeoutMs: 100 },
  );
  engine.workflow('contract-logs', ({ lines = 3 }, ctx) => {
    for (let line = 0; line < lines; line += 1) ctx.log(`line ${line}`);
    return { lines };
  });
  engine.workflow(
    'contract-parent',
    async ({ children = 2 }, ctx) => {
      const outputs = await Promise.all(
        Array.from({ length: children }, (_, n) => ctx.runChild('contract-quick', { n })),
      );
      return { children: outputs.length };
    },
    { timeoutMs: 600_000 },
  );
  engine.workflow('contract-durable', () => ({ durable: true }), { durable: true, timeoutMs: 600_000 });
  engine.workflow('contractns_quick', ({ n = 0 }) => ({ namespaced: true, n }));
}
