import { describe, test } from 'vitest';
import { startEngine } from '../../src/testing/index.ts';
import { faultyClient } from '../support/faulty-client.ts';
import { all, errorOf, eventually, one, pause, watch } from '../support/observe.ts';
import { EVERYTHING, type KnownRuns, type TableRow } from '../support/operations.ts';
import { registerWorkflows } from '../support/workflows.ts';

const ROWS = EVERYTHING.map((row) => [row.name, row] as const);

async function start() {
  const engine = await startEngine({ replayBatchPauseMs: 1, visibilityDelayMs: 0 });
  registerWorkflows(engine);
  const tag = { cold: crypto.randomUUID() };
  const [completed = '', replayable = '', durable = ''] = engine.seedRuns({
    count: 3,
    workflow: 'contract-durable',
    additionalMetadata: tag,
  });
  const known: KnownRuns = { completed, replayable, durable, tag };
  return { engine, known, [Symbol.asyncDispose]: () => engine.close() };
}

describe.concurrent('before subscribe', () => {
  test('no operation sends anything, nor throws', async ({ expect }) => {
    await using server = await start();
    await using client = faultyClient(server.engine);
    const made = EVERYTHING.map(({ call }) => call(client.runs, server.known));
    const wrong = EVERYTHING.map(({ call }) =>
      call(client.runs, { completed: 'x', replayable: 'x', durable: 'x', tag: { n: 5 as never } }),
    );
    expect([...made, ...wrong]).toHaveLength(2 * EVERYTHING.length);
    await pause(50);
    expect(server.engine.requests).toEqual([]);
    expect(client.told).toEqual([]);
  });

  test.for(ROWS)('%s: each subscription asks anew', async ([, { call, requests }], { expect }) => {
    await using server = await start();
    await using client = faultyClient(server.engine);
    const operation = call(client.runs, server.known);
    await all(operation);
    const once = client.requests().filter((request) => request.operation === requests).length;
    expect(once).toBeGreaterThan(0);
    await all(operation);
    expect(client.requests().filter((request) => request.operation === requests).length).toBeGreaterThan(once);
  });
});

describe.concurrent('unsubscribing', () => {
  const stalledAt = ({ requests }: TableRow) => ({ kind: 'stall', match: { operation: requests } }) as const;

  test.for(ROWS)('%s: the socket is closed at once, and no request follows', async ([, row], { expect }) => {
    await using server = await start();
    await using client = faultyClient(server.engine);
    client.fault(stalledAt(row));
    const course = watch(row.call(client.runs, server.known));
    const stalled = () => client.requests().find(({ faults }) => faults.includes('stall'));
    const request = await eventually(stalled);
    expect(request.endedAt).toBeUndefined();
    course.stop();
    await eventually(() => request.aborted);
    const sent = client.requests().length;
    await pause(60);
    expect(client.requests()).toHaveLength(sent);
    expect(course.ended).toBe('no');
  });

  test.for(ROWS)('%s: a pause before a retry is ended', async ([, row], { expect }) => {
    await using server = await start();
    await using client = faultyClient(server.engine, { retry: { baseDelayMs: 40 } });
    client.fault({ kind: 'status', status: 503, match: { operation: row.requests } });
    const course = watch(row.call(client.runs, server.known));
    await eventually(() => client.requests().some(({ faults, status }) => faults.length > 0 && status === 503));
    course.stop();
    const sent = client.requests().length;
    await pause(100);
    expect(client.requests().length - sent).toBeLessThanOrEqual(1);
  });

  test('requests that still wait for a socket are never sent', async ({ expect }) => {
    await using server = await start();
    await using client = faultyClient(server.engine);
    const remove = client.fault({ kind: 'stall' });
    const courses = Array.from({ length: 400 }, () => watch(client.runs.getStatus(server.known.completed)));
    await eventually(() => client.requests().length >= 128);
    await pause(50);
    for (const course of courses) course.stop();
    await eventually(() => client.requests().every(({ aborted }) => aborted));
    const sent = client.requests().length;
    expect(sent).toBeLessThanOrEqual(128);
    remove();
    // The pool is as good as new.
    expect(await one(client.runs.getStatus(server.known.completed))).toBe('COMPLETED');
    expect(client.requests()).toHaveLength(sent + 1);
  });

  test('one of two waiters does not disturb the other', async ({ expect }) => {
    await using server = await start();
    await using client = faultyClient(server.engine);
    const ref = await one(client.runs.trigger('contract-slow', { ms: 150 }));
    const [gone, staying] = [watch(ref.result$), watch(ref.result$)];
    await eventually(() => client.requests().some(({ operation }) => operation === 'getRunStatus'));
    gone.stop();
    await staying.end;
    expect(staying.values).toEqual([{ slept: 150 }]);
    expect(gone.ended).toBe('no');
  });

  test('a replay that waits for its turn is not sent, and the others go on', async ({ expect }) => {
    await using server = await start();
    await using client = faultyClient(server.engine);
    const { completed, replayable, durable } = server.known;
    const remove = client.fault({ kind: 'stall', match: { operation: 'replay' } });
    const first = watch(client.runs.replay(completed));
    await eventually(() => client.requests().some(({ operation }) => operation === 'replay'));
    const [waiting, last] = [watch(client.runs.replay(replayable)), watch(client.runs.replay(durable))];
    waiting.stop();
    remove();
    await Promise.all([first.end, last.end]);
    expect([first.values, last.values]).toEqual([[[completed]], [[durable]]]);
    const sent = client.requests().filter(({ operation }) => operation === 'replay');
    expect(sent.flatMap(({ body }) => (body as { externalIds: string[] }).externalIds)).toEqual([completed, durable]);
  });
});

describe.concurrent('a deadline', () => {
  test('covers all attempts and their pauses', async ({ expect }) => {
    await using server = await start();
    await using client = faultyClient(server.engine, {
      timeoutMs: 400,
      retry: { maxAttempts: 1_000, baseDelayMs: 20 },
    });
    client.fault({ kind: 'status', status: 503 });
    const error = await errorOf(client.runs.getStatus(server.known.completed));
    expect(['TimeoutError', 'HttpStatusError']).toContain(error._tag);
    expect(error.attempts).toBeGreaterThan(1);
    const told = client.told.length;
    await pause(100);
    expect(client.told).toHaveLength(told);
  });

  test('a Retry-After beyond it is not waited for', async ({ expect }) => {
    await using server = await start();
    await using client = faultyClient(server.engine, { timeoutMs: 5_000 });
    client.fault({ kind: 'status', status: 503, retryAfter: new Date(Date.now() + 60_000) });
    const error = await errorOf(client.runs.list());
    expect(error).toMatchObject({ _tag: 'HttpStatusError', status: 503, attempts: 1 });
    expect(error._tag === 'HttpStatusError' ? error.retryAfterMs : 0).toBeGreaterThan(50_000);
  });

  test('a Retry-After within it is kept', async ({ expect }) => {
    await using server = await start();
    await using client = faultyClient(server.engine);
    client.fault({ kind: 'status', status: 429, retryAfter: 2 });
    const course = watch(client.runs.list());
    const retry = await eventually(() => client.told.find((d) => d.type === 'retry'));
    expect(retry).toMatchObject({ attempt: 1, error: { _tag: 'RateLimitedError', retryAfterMs: 2_000 } });
    expect(retry.type === 'retry' ? retry.delayMs : 0).toBeGreaterThanOrEqual(2_000);
    course.stop();
  });
});
