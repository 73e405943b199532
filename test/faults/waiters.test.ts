import { mergeMap, range } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { Fault, RecordedRequest } from '../../src/testing/index.ts';
import { startEngine } from '../../src/testing/index.ts';
import { faultyClient } from '../support/faulty-client.ts';
import { all, errorWithTag, eventually, one, watch } from '../support/observe.ts';
import { registerWorkflows } from '../support/workflows.ts';

const RUNS = 1_000;

/** Every third request fails, each time in another way. */
function everyThird(add: (fault: Fault) => void): void {
  let count = 0;
  const turn = (isMine: (count: number) => boolean, counts: boolean) => (request: RecordedRequest) => {
    if (request.operation === 'trigger') return false;
    if (counts) count += 1;
    return isMine(count);
  };
  // The first fault is asked about every request.
  add({ kind: 'status', status: 500, match: { when: turn((n) => n % 9 === 3, true) } });
  add({ kind: 'status', status: 503, match: { when: turn((n) => n % 9 === 6, false) } });
  add({ kind: 'drop', match: { when: turn((n) => n % 9 === 0, false) } });
}

describe('1,000 waiters on 1,000 runs', () => {
  test('all settle, each as its run did, while every third request fails', { timeout: 60_000 }, async () => {
    await using engine = await startEngine({ concurrency: 2_000, keepRequests: 100_000 });
    registerWorkflows(engine);
    await using client = faultyClient(engine, { pollIntervalMs: 300, retry: { maxAttempts: 2 } });
    await using other = faultyClient(engine);
    const kinds = ['contract-quick', 'contract-fail', 'contract-flaky', 'contract-slow', 'contract-dag'] as const;
    const expected: Readonly<Record<string, unknown>> = {
      'contract-quick': { ok: true, n: 1 },
      'contract-fail': 'RunFailedError',
      'contract-flaky': { attempt: 2 },
      'contract-slow': 'RunCancelledError',
      'contract-dag': { first: { step: 1 }, second: { step: 2, got: { step: 1 } } },
    };
    const runs = await all(
      range(0, RUNS).pipe(
        mergeMap((index) => {
          const kind = kinds[index % kinds.length] ?? 'contract-quick';
          return client.runs.trigger(kind, { n: 1, ms: 60_000 }).pipe(mergeMap((ref) => [{ kind, ref }]));
        }, 50),
      ),
    );
    expect(runs).toHaveLength(RUNS);
    everyThird(client.fault);

    const courses = runs.map(({ kind, ref }) => ({ kind, result: watch(ref.result$), status: watch(ref.status$) }));
    const ids = runs.filter(({ kind }) => kind === 'contract-slow').map(({ ref }) => ref.id);
    await one(other.runs.bulkCancel({ ids }));
    await Promise.all(courses.flatMap(({ result, status }) => [result.end, status.end]));

    const outcomes = courses.map(({ kind, result }) => ({
      kind,
      outcome: result.error === undefined ? result.values[0] : (result.error as { _tag: string })._tag,
    }));
    expect(outcomes.filter(({ kind, outcome }) => JSON.stringify(outcome) !== JSON.stringify(expected[kind]))).toEqual(
      [],
    );
    expect(courses.filter(({ status }) => status.ended !== 'complete')).toEqual([]);
    const struck = client.requests().filter(({ faults }) => faults.length > 0).length;
    expect(struck).toBeGreaterThan(RUNS / 3);
  });
});

describe('an outage in the middle of a wait', () => {
  test('is waited out; the status never runs backwards', async () => {
    await using engine = await startEngine();
    registerWorkflows(engine);
    await using client = faultyClient(engine);
    const ref = await one(client.runs.trigger('contract-slow', { ms: 400 }));
    const status = watch(ref.status$);
    const result = watch(ref.result$);
    await eventually(() => status.values.includes('RUNNING'));
    const end = client.fault({ kind: 'drop' });
    await eventually(() => client.requests().filter(({ faults }) => faults.length > 0).length > 20);
    end();
    await Promise.all([status.end, result.end]);
    expect(result.values).toEqual([{ slept: 400 }]);
    const order = ['QUEUED', 'RUNNING', 'COMPLETED'];
    expect(status.values).toEqual(order.filter((one) => (status.values as string[]).includes(one)));
  });

  test('a deadline that comes first ends it with the last status', async () => {
    await using engine = await startEngine();
    registerWorkflows(engine);
    await using client = faultyClient(engine);
    const ref = await one(client.runs.trigger('contract-slow', { ms: 60_000 }, { waitTimeoutMs: 500 }));
    const status = watch(ref.status$);
    await eventually(() => status.values.includes('RUNNING'));
    client.fault({ kind: 'status', status: 503 });
    const error = await errorWithTag('TimeoutError', ref.result$);
    expect(error.lastStatus).toBe('RUNNING');
    await status.end;
  });
});

describe('statuses of tomorrow', () => {
  test('an unknown status is told as such, and is not an end', async () => {
    await using engine = await startEngine();
    registerWorkflows(engine);
    await using client = faultyClient(engine);
    const ref = await one(client.runs.trigger('contract-slow', { ms: 60_000 }));
    const remove = client.fault({ kind: 'transform', transform: () => 'PAUSED', match: { operation: 'getRunStatus' } });
    const status = watch(ref.status$);
    await eventually(() => status.values.includes('UNKNOWN:PAUSED'));
    expect(await one(ref.status())).toBe('UNKNOWN:PAUSED');
    expect(status.ended).toBe('no');
    await errorWithTag('RunNotFinishedError', client.runs.getResult(ref.id));
    remove();
    await one(ref.cancel());
    await status.end;
    expect(status.values.at(-1)).toBe('CANCELLED');
  });
});
