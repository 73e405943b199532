import { lastValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { HatchetError, HatchetOptions } from '../../src/index.ts';
import { type Engine, type Fault, startEngine } from '../../src/testing/index.ts';
import { faultyClient } from '../support/faulty-client.ts';
import { all, errorOf, one } from '../support/observe.ts';
import { BRANCHING, type KnownRuns, REPEATABLE, type TableRow, TRIGGERING, WAITING } from '../support/operations.ts';
import { registerWorkflows } from '../support/workflows.ts';

// Most of the time is spent waiting.
vi.setConfig({ maxConcurrency: 16 });

let engine: Engine;
let known: KnownRuns;

beforeAll(async () => {
  engine = await startEngine({ replayBatchPauseMs: 1, visibilityDelayMs: 0 });
  registerWorkflows(engine);
  await using client = faultyClient(engine);
  const tag = { table: crypto.randomUUID() };
  const finish = async (workflow: string) => {
    const ref = await one(client.runs.trigger(workflow, {}, { additionalMetadata: tag }));
    await lastValueFrom(ref.status$);
    return ref.id;
  };
  const completed = await finish('contract-quick');
  const replayable = await finish('contract-quick');
  const durable = await finish('contract-durable');
  known = { completed, replayable, durable, tag };
});

afterAll(() => engine.close());

/** What a fault does to an operation whose requests may be repeated: if it strikes once, and if it always does. */
interface Expectation {
  readonly kind: string;
  readonly fault: Fault;
  /** Whether another attempt helps; then one strike does not show. */
  readonly passes: boolean;
  readonly error: { readonly _tag: HatchetError['_tag']; readonly [field: string]: unknown };
  readonly options?: HatchetOptions;
}

const ATTEMPTS = 3;

/** The deadline of requests that get no answer: long enough for all others, on a busy machine, too. */
const STALL_MS = 1_000;

const FAULTS: readonly Expectation[] = [
  { kind: 'drop', fault: { kind: 'drop' }, passes: true, error: { _tag: 'ConnectionError', attempts: ATTEMPTS } },
  {
    kind: 'drop after acting',
    fault: { kind: 'drop', stage: 'after' },
    passes: true,
    error: { _tag: 'ConnectionError', attempts: ATTEMPTS },
  },
  {
    kind: 'cut',
    fault: { kind: 'cut', bytes: 1 },
    passes: true,
    error: { _tag: 'ConnectionError', attempts: ATTEMPTS },
  },
  ...[500, 502, 503, 504].map((status): Expectation => ({
    kind: `status ${status}`,
    fault: { kind: 'status', status },
    passes: true,
    error: { _tag: 'HttpStatusError', status, retryable: true, attempts: ATTEMPTS },
  })),
  {
    kind: 'status 502 with a page of HTML',
    fault: {
      kind: 'status',
      status: 502,
      body: `<html>${'x'.repeat(5_000)}</html>`,
      headers: { 'content-type': 'text/html' },
    },
    passes: true,
    error: { _tag: 'HttpStatusError', status: 502, snippet: expect.stringMatching(/^<html>x{494}$/) },
  },
  {
    kind: 'status 408',
    fault: { kind: 'status', status: 408 },
    passes: true,
    error: { _tag: 'HttpStatusError', status: 408, attempts: ATTEMPTS },
  },
  {
    kind: 'status 429',
    fault: { kind: 'status', status: 429 },
    passes: true,
    error: { _tag: 'RateLimitedError', retryAfterMs: undefined, attempts: ATTEMPTS },
  },
  {
    kind: 'status 429 with Retry-After: 0',
    fault: { kind: 'status', status: 429, retryAfter: 0 },
    passes: true,
    error: { _tag: 'RateLimitedError', retryAfterMs: 0, attempts: ATTEMPTS },
  },
  {
    kind: 'status 429 with a Retry-After beyond the deadline',
    fault: { kind: 'status', status: 429, retryAfter: 3_600 },
    passes: false,
    error: { _tag: 'RateLimitedError', retryAfterMs: 3_600_000, attempts: 1 },
  },
  {
    kind: 'status 400',
    fault: { kind: 'status', status: 400, body: { errors: [{ description: 'no good' }] } },
    passes: false,
    error: {
      _tag: 'HttpStatusError',
      status: 400,
      retryable: false,
      attempts: 1,
      message: expect.stringContaining('no good'),
    },
  },
  {
    kind: 'status 415',
    fault: { kind: 'status', status: 415 },
    passes: false,
    error: { _tag: 'HttpStatusError', status: 415, attempts: 1 },
  },
  ...[401, 403].map((status): Expectation => ({
    kind: `status ${status}`,
    fault: { kind: 'status', status, body: null },
    passes: false,
    error: { _tag: 'AuthenticationError', status, attempts: 1 },
  })),
  {
    kind: 'truncate',
    fault: { kind: 'truncate', bytes: 1 },
    passes: false,
    error: { _tag: 'DecodeError', expected: 'JSON', attempts: 1 },
  },
  { kind: 'malformed', fault: { kind: 'malformed' }, passes: false, error: { _tag: 'DecodeError', expected: 'JSON' } },
  {
    kind: 'another shape',
    fault: { kind: 'transform', transform: () => 42 },
    passes: false,
    error: { _tag: 'DecodeError', got: '42' },
  },
  {
    kind: 'stall',
    fault: { kind: 'stall' },
    passes: false,
    error: { _tag: 'TimeoutError', waitedMs: STALL_MS, attempts: 1 },
    options: { timeoutMs: STALL_MS },
  },
  {
    kind: 'stall after acting',
    fault: { kind: 'stall', stage: 'after' },
    passes: false,
    error: { _tag: 'TimeoutError', waitedMs: STALL_MS },
    options: { timeoutMs: STALL_MS },
  },
];

const CASES = FAULTS.flatMap((expectation) =>
  REPEATABLE.map((row) => [expectation.kind, row.name, expectation, row] as const),
);

const open = (options: HatchetOptions = {}) => faultyClient(engine, { retry: { maxAttempts: ATTEMPTS }, ...options });

/** The first failure of a bulk stream is an event, any other is the error. */
const faultOn = ({ requests }: TableRow, fault: Fault): Fault => ({ ...fault, match: { operation: requests } });

// First, since one of its tests waits for six seconds, in which the others run.
describe.concurrent('a replay whose answer is lost', () => {
  const replayed = async (fault: Fault, check: (attempt: number | undefined) => void) => {
    await using client = open();
    const ref = await one(client.runs.trigger('contract-quick', {}));
    await lastValueFrom(ref.status$);
    client.fault({ ...fault, match: { operation: 'replay' } });
    expect(await one(ref.replay())).toEqual([ref.id]);
    check((await one(client.runs.getTaskRun(ref.id))).attempt);
  };

  test.for<[string, Fault]>([
    ['drop', { kind: 'drop', stage: 'after', times: 1 }],
    ['cut', { kind: 'cut', bytes: 1, times: 1 }],
    ['status 500', { kind: 'status', status: 500, stage: 'after', times: 1 }],
  ])('%s after acting: one new attempt, not two', ([, fault], { expect }) =>
    replayed(fault, (attempt) => expect(attempt).toBe(2)),
  );

  test('drop before acting: it is sent again', ({ expect }) =>
    replayed({ kind: 'drop', times: 1 }, (attempt) => expect(attempt).toBe(2)));

  test.for<[string, Fault, object]>([
    ['status 400', { kind: 'status', status: 400 }, { _tag: 'HttpStatusError', status: 400 }],
    ['status 403', { kind: 'status', status: 403 }, { _tag: 'AuthenticationError' }],
  ])('%s: nothing helps', async ([, fault, expected], { expect }) => {
    await using client = open();
    client.fault({ ...fault, match: { operation: 'replay' } });
    expect(await errorOf(client.runs.replay(known.completed))).toMatchObject(expected);
    expect(await errorOf(client.runs.bulkReplay({ ids: [known.completed] }))).toMatchObject(expected);
  });
});

describe.concurrent('what may be repeated', () => {
  test.for(CASES)('%s × %s', async ([, , { fault, passes, error, options }, row], { expect }) => {
    await using client = open(options);
    const remove = client.fault(faultOn(row, { ...fault, times: 1 }));
    if (passes) {
      await all(row.call(client.runs, known));
      const struck = client.requests().filter(({ faults }) => faults.length > 0);
      expect(struck).toHaveLength(1);
      // The same request again.
      expect(client.requests().filter(({ path }) => path === struck[0]?.path).length).toBeGreaterThan(1);
    } else {
      expect(await errorOf(row.call(client.runs, known))).toMatchObject(error);
    }
    remove();

    client.fault(faultOn(row, fault));
    const failure = await errorOf(row.call(client.runs, known));
    expect(failure).toMatchObject(error);
    expect(failure).toMatchObject({ operation: expect.stringMatching(/^(runs|ref)\./), message: expect.any(String) });
    expect(`${failure.message} ${failure.stack} ${JSON.stringify(failure)}`).not.toContain(engine.token);
  });

  test.for(REPEATABLE.map((row) => [row.name, row] as const))('delay × %s', async ([, row], { expect }) => {
    await using client = open();
    client.fault(faultOn(row, { kind: 'delay', ms: 30 }));
    await all(row.call(client.runs, known));
    expect(client.requests().some(({ faults }) => faults.includes('delay'))).toBe(true);
  });
});

describe.concurrent('what waits', () => {
  const lasting = FAULTS.filter(({ passes }) => passes);
  const final = FAULTS.filter(
    ({ passes, error }) => !passes && error._tag !== 'TimeoutError' && error._tag !== 'RateLimitedError',
  );
  const cases = (faults: readonly Expectation[]) =>
    faults.flatMap((expectation) => WAITING.map((row) => [expectation.kind, row.name, expectation, row] as const));

  test.for(cases(lasting))(
    '%s × %s: ten failures in a row are waited out',
    async ([, , { fault }, row], { expect }) => {
      await using client = open({ waitTimeoutMs: 15_000 });
      client.fault(faultOn(row, { ...fault, times: 10 }));
      await all(row.call(client.runs, known));
      expect(client.requests().filter(({ faults }) => faults.length > 0)).toHaveLength(10);
    },
  );

  test.for(cases(lasting))('%s × %s: the deadline of the wait holds', async ([, , { fault }, row], { expect }) => {
    await using client = open({ waitTimeoutMs: 150 });
    client.fault(faultOn(row, fault));
    const error = await errorOf(row.call(client.runs, known));
    expect(error).toMatchObject({ _tag: 'TimeoutError' });
  });

  test.for(cases(final))('%s × %s: nothing helps', async ([, , { fault, error }, row], { expect }) => {
    await using client = open({ waitTimeoutMs: 15_000 });
    client.fault(faultOn(row, fault));
    expect(await errorOf(row.call(client.runs, known))).toMatchObject(error);
  });

  test.for(WAITING.map((row) => [row.name, row] as const))(
    'stall × %s: another look comes',
    async ([, row], { expect }) => {
      await using client = open({ timeoutMs: STALL_MS, waitTimeoutMs: 15_000 });
      client.fault(faultOn(row, { kind: 'stall', times: 2 }));
      await all(row.call(client.runs, known));
      expect(client.requests().filter(({ faults }) => faults.includes('stall'))).toHaveLength(2);
    },
  );
});

describe.concurrent('what must not be repeated', () => {
  /** The server may have acted: nobody can tell. */
  const unclear = FAULTS.filter(
    ({ error, kind }) => !['AuthenticationError', 'RateLimitedError'].includes(error._tag) && !/4\d\d/.test(kind),
  );
  const refused = FAULTS.filter((expectation) => !unclear.includes(expectation) && expectation.kind !== 'status 408');

  const cases = (faults: readonly Expectation[], rows: readonly TableRow[]) =>
    faults.flatMap((expectation) => rows.map((row) => [expectation.kind, row.name, expectation, row] as const));

  test.for(cases(unclear, TRIGGERING))(
    '%s × %s: an AmbiguousTriggerError',
    async ([, , { fault, options }, row], { expect }) => {
      await using client = open(options);
      client.fault(faultOn(row, fault));
      const error = await errorOf(row.call(client.runs, known));
      expect(error).toMatchObject({ _tag: 'AmbiguousTriggerError', tag: { hatchet_rx_trigger: expect.any(String) } });
      expect(client.requests().filter(({ operation }) => operation === 'trigger')).toHaveLength(1);
    },
  );

  test.for(cases(refused, TRIGGERING))(
    '%s × %s: nothing was done, and that is told',
    async ([, , { fault, error }, row], { expect }) => {
      await using client = open();
      client.fault(faultOn(row, fault));
      const { attempts: _, ...expected } = error;
      expect(await errorOf(row.call(client.runs, known))).toMatchObject({ ...expected, attempts: 1 });
      expect(client.requests().filter(({ operation }) => operation === 'trigger')).toHaveLength(1);
    },
  );

  test.for(cases(FAULTS, TRIGGERING))(
    '%s at the look-up of the name × %s: the trigger goes on',
    async ([, , { fault, options }, row], { expect }) => {
      await using client = open(options);
      client.fault({ ...fault, match: { operation: 'listWorkflows' } });
      await all(row.call(client.runs, known));
      expect(client.requests().filter(({ operation }) => operation === 'trigger')).toHaveLength(1);
    },
  );

  test.for(cases(FAULTS, [BRANCHING]))(
    '%s × %s: told at once',
    async ([, , { fault, error, options }, row], { expect }) => {
      await using client = open(options);
      client.fault(faultOn(row, fault));
      const { attempts: _, ...expected } = error;
      expect(await errorOf(row.call(client.runs, known))).toMatchObject({ ...expected, attempts: 1 });
      expect(client.requests().filter(({ operation }) => operation === 'branchDurableTask')).toHaveLength(1);
    },
  );
});

describe.concurrent('a bulk stream', () => {
  const lasting = FAULTS.filter(({ kind }) => !kind.startsWith('another shape') && !kind.startsWith('stall'));

  test.for(lasting.map((expectation) => [expectation.kind, expectation] as const))(
    '%s at the cancels: failures are told, and the stream ends by itself',
    async ([, { fault, error }], { expect }) => {
      await using client = open();
      const additionalMetadata = { bulk: crypto.randomUUID() };
      const ids = engine.seedRuns({
        count: 5,
        workflow: 'contract-quick',
        status: 'QUEUED',
        additionalMetadata,
      });
      client.fault({ ...fault, match: { operation: 'cancel' } });
      const events = await all(
        client.runs.bulkCancelByFiltersWithPagination({ additionalMetadata, chunkSize: 2, sleepTime: 1 }),
      );
      const failures = events.filter((event) => event.type === 'failure');
      // A cancel whose answer alone was lost took effect: then there is nothing to tell.
      const acted =
        fault.kind === 'cut' ||
        fault.kind === 'truncate' ||
        fault.kind === 'malformed' ||
        ('stage' in fault && fault.stage === 'after');
      if (!acted) {
        expect(failures).toMatchObject([{ error }, { error }, { error }]);
        expect(events.at(-1)).toMatchObject({ type: 'done', total: 5, affected: 0, failed: 5 });
      }
      expect(events[0]).toMatchObject({ type: 'plan', total: 5 });
      expect(events.at(-1)).toMatchObject({ type: 'done', total: 5 });
      const told = events.flatMap((event) => (event.type === 'chunk' || event.type === 'failure' ? event.ids : []));
      expect([...told].sort()).toEqual([...ids].sort());
    },
  );

  test('one chunk that fails does not stop the others', async ({ expect }) => {
    await using client = open();
    engine.seedRuns({
      count: 6,
      workflow: 'contract-quick',
      status: 'QUEUED',
      additionalMetadata: { bulk: 'one-fails' },
    });
    client.fault({ kind: 'status', status: 400, match: { operation: 'cancel' }, skip: 1, times: 1 });
    const events = await all(
      client.runs.bulkCancelByFiltersWithPagination({
        additionalMetadata: { bulk: 'one-fails' },
        chunkSize: 2,
        sleepTime: 1,
      }),
    );
    expect(events.map(({ type }) => type)).toEqual(['plan', 'chunk', 'failure', 'chunk', 'done']);
    expect(events.at(-1)).toMatchObject({ affected: 4, failed: 2 });
    const done = events.at(-1);
    const failedIds = done?.type === 'done' ? done.failedIds : [];
    // What failed can be handed to the next try as it is.
    expect(await one(client.runs.bulkCancel({ ids: failedIds }))).toHaveLength(2);
  });
});
