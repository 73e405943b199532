// The contract's workflows on a real Hatchet server, written with the official TypeScript SDK. `test-live.mjs` copies this
// file to where it has installed the SDK, and runs it there. test/support/workflows.ts defines the same for the embedded
// engine: what differs between the two is an error.
import { Hatchet, NonRetryableError } from '@hatchet-dev/typescript-sdk';

const hatchet = Hatchet.init();

/** Rejects when the task is cancelled or runs out of time. */
const pause = (ms, { abortController: { signal } }) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new Error('aborted'));
    });
  });

const task = (name, fn, options = {}) => hatchet.task({ name, fn, ...options });

const quick = task('contract-quick', ({ n = 0 }) => ({ ok: true, n }));
const dag = hatchet.workflow({ name: 'contract-dag' });
const first = dag.task({ name: 'first', fn: () => ({ step: 1 }) });
dag.task({ name: 'second', parents: [first], fn: async (_, ctx) => ({ step: 2, got: await ctx.parentOutput(first) }) });

const slowDag = hatchet.workflow({ name: 'contract-dag-slow' });
const begin = slowDag.task({
  name: 'begin',
  executionTimeout: '10m',
  fn: async ({ ms = 0 }, ctx) => {
    await pause(ms, ctx);
    return { begun: true };
  },
});
slowDag.task({ name: 'finish', parents: [begin], fn: () => ({ finished: true }) });

const badDag = hatchet.workflow({ name: 'contract-dag-fail' });
const good = badDag.task({ name: 'good', fn: () => ({ good: true }) });
const bad = badDag.task({
  name: 'bad',
  parents: [good],
  fn: () => {
    throw new Error('the step broke');
  },
});
badDag.task({ name: 'after', parents: [bad], fn: () => ({ after: true }) });

const served = [
  quick,
  dag,
  slowDag,
  badDag,
  task(
    'contract-slow',
    async ({ ms = 0 }, ctx) => {
      await pause(ms, ctx);
      return { slept: ms };
    },
    { executionTimeout: '10m' },
  ),
  task('contract-fail', () => {
    throw new Error('it broke');
  }),
  task(
    'contract-fail-retries',
    () => {
      throw new Error('it broke again');
    },
    { retries: 2 },
  ),
  task(
    'contract-flaky',
    (_, ctx) => {
      if (ctx.retryCount() < 2) throw new Error(`attempt ${ctx.retryCount()} broke`);
      return { attempt: ctx.retryCount() };
    },
    { retries: 3 },
  ),
  // Fails, and then waits for its retry longer than any test does.
  task(
    'contract-backoff',
    (_, ctx) => {
      if (ctx.retryCount() === 0) throw new Error('it will be retried');
      return { attempt: ctx.retryCount() };
    },
    { retries: 1, backoff: { factor: 300, maxSeconds: 300 } },
  ),
  // Fails at first, and succeeds when it is replayed.
  task('contract-second-time', async ({ ms = 0 }, ctx) => {
    if (ctx.retryCount() === 0) throw new Error('not the first time');
    await pause(ms, ctx);
    return { attempt: ctx.retryCount() };
  }),
  // Takes its time from the second attempt on.
  task('contract-attempt', async ({ ms = 0 }, ctx) => {
    if (ctx.retryCount() > 0) await pause(ms, ctx);
    return { attempt: ctx.retryCount() };
  }),
  task(
    'contract-nonretryable',
    () => {
      throw new NonRetryableError('never again');
    },
    { retries: 3 },
  ),
  task(
    'contract-timeout',
    async (_, ctx) => {
      await pause(60_000, ctx);
      return {};
    },
    { executionTimeout: '1s' },
  ),
  task('contract-logs', async ({ lines = 3 }, ctx) => {
    for (let line = 0; line < lines; line += 1) await ctx.logger.info(`line ${line}`);
    return { lines };
  }),
  task(
    'contract-parent',
    async ({ children = 2 }, ctx) => {
      const outputs = await ctx.bulkRunChildren(
        Array.from({ length: children }, (_, n) => ({ workflow: 'contract-quick', input: { n } })),
      );
      return { children: outputs.length };
    },
    { executionTimeout: '10m' },
  ),
  hatchet.durableTask({ name: 'contract-durable', executionTimeout: '10m', fn: () => ({ durable: true }) }),
  task('contractns_quick', ({ n = 0 }) => ({ namespaced: true, n })),
];

// Registered, but nobody serves it: its runs stay QUEUED.
const unserved = task('contract-unserved', () => ({}), { scheduleTimeout: '10m' });
await hatchet.worker('hatchet-rx-contract-unserved', { workflows: [unserved] });

const worker = await hatchet.worker('hatchet-rx-contract', { slots: 150, durableSlots: 10, workflows: served });
const running = worker.start();
await worker.waitUntilReady(30_000);
// Tells the script that started this process, through the pipe between them.
process.send?.('ready');
process.on('disconnect', () => {
  worker.stop().finally(() => process.exit(0));
});
await running;
