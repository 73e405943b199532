import { setTimeout as pause } from 'node:timers/promises';
import { NonRetryableError } from 'hatchet-rx/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { broken, echo, eventually, quickEngine, slow } from './helpers.ts';
import type { Api, Json } from './helpers.ts';

const open: Api[] = [];
const start = async (...args: Parameters<typeof quickEngine>): Promise<Api> => {
  const api = await quickEngine(...args);
  open.push(api);
  return api;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((api) => api.engine.close()));
});

const stub = async (api: Api, body: Json): Promise<Json> =>
  (await api.post('{T}/workflow-runs/trigger', { return_only_id: true, ...body })).run.metadata.id;

describe('a trigger', () => {
  test('is not readable at first; details come before the rest', async () => {
    const api = await start({ visibilityDelayMs: 250 });
    api.engine.workflow('echo', echo);
    const id = await api.trigger('echo', { n: 1 });
    expect((await api.call('GET', `/workflow-runs/${id}`)).status).toBe(404);
    expect((await api.list('')).rows).toEqual([]);
    await eventually('details', async () => (await api.call('GET', `/workflow-runs/${id}`)).status === 200);
    await api.until(id, 'COMPLETED');
    expect((await api.list('')).rows).toHaveLength(1);
  });

  test('of an unknown workflow gives an id that is never found', async () => {
    const api = await start();
    const id = await stub(api, { workflowName: 'nope', input: {} });
    expect((await api.call('GET', `/workflow-runs/${id}`)).status).toBe(404);
    expect(await stub(api, { input: {} })).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('that blocks waits for a readable run, and gives up after ten looks', async () => {
    const api = await start({ visibilityDelayMs: 15, blockingPollMs: 40 });
    api.engine.workflow('echo', echo);
    const details = await api.post('{T}/workflow-runs/trigger', { workflowName: 'echo', input: { n: 1 } });
    expect(details.run.output).toEqual({ echo: { n: 1 } });
    const begin = Date.now();
    const answer = await api.call('POST', '{T}/workflow-runs/trigger', { body: { workflowName: 'nope', input: {} } });
    expect([answer.status, answer.body]).toEqual([500, { message: 'Internal Server Error' }]);
    expect(Date.now() - begin).toBeGreaterThanOrEqual(390);
  });

  test('may end with a 500 although the run exists', async () => {
    const api = await start({ visibilityDelayMs: 200, blockingPollMs: 5 });
    api.engine.workflow('echo', echo);
    const body = { workflowName: 'echo', input: {}, additionalMetadata: { tag: 'mine' } };
    expect((await api.call('POST', '{T}/workflow-runs/trigger', { body })).status).toBe(500);
    await eventually('the run', async () => (await api.list('additional_metadata=tag:mine')).rows.length === 1);
  });

  test('return_only_id counts in the body only', async () => {
    const api = await start();
    api.engine.workflow('echo', echo);
    const body = { workflowName: 'echo', input: {} };
    const path = '{T}/workflow-runs/trigger?return_only_id=true';
    expect((await api.post(path, body)).shape).toHaveLength(1);
  });

  test('without an input runs with null, and is shown wrapped', async () => {
    const api = await start();
    api.engine.workflow('echo', echo);
    const id = await stub(api, { workflowName: 'echo' });
    await api.until(id, 'COMPLETED');
    const task = await api.get(`/tasks/${id}`);
    expect(task.output).toEqual({ echo: null });
    expect(task.input).toMatchObject({ input: null, triggered_by: 'manual' });
  });

  test('checks its body', async () => {
    const api = await start();
    api.engine.workflow('echo', echo);
    const refused = async (body: unknown): Promise<Json> => {
      const answer = await api.call('POST', '{T}/workflow-runs/trigger', { body });
      return [answer.status, answer.body];
    };
    expect(await refused('')).toEqual([500, { message: 'Internal Server Error' }]);
    expect(await refused({ workflowName: 'echo', input: {}, priority: 9 })).toEqual([
      400,
      { errors: [{ description: 'priority must be between 1 and 3, got 9' }] },
    ]);
    expect(await refused({ workflowName: 'echo', input: { x: 'y'.repeat(5_000_000) } })).toEqual([
      400,
      { errors: [{ description: 'grpc: received message after decompression larger than max 4194304' }] },
    ]);
  });

  test('keeps metadata as sent, but for the traceparent', async () => {
    const api = await start();
    api.engine.workflow('echo', echo);
    const id = await api.trigger('echo', {}, { n: 5, o: { a: 1 }, traceparent: 'mine' });
    await api.readable(id);
    const { additionalMetadata } = await api.get(`/tasks/${id}`);
    expect(additionalMetadata).toMatchObject({ n: 5, o: { a: 1 } });
    expect(additionalMetadata.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });
});

describe('times', () => {
  test('are unique microseconds with trailing zeros cut', async () => {
    const api = await start();
    api.engine.workflow('echo', echo);
    const ids = await Promise.all(Array.from({ length: 50 }, () => api.trigger('echo')));
    await Promise.all(ids.map((id) => api.until(id, 'COMPLETED')));
    const times = (await api.list('limit=100')).rows.map((row: Json) => row.metadata.createdAt);
    expect(new Set(times).size).toBe(50);
    for (const time of times) expect(time).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{0,5}[1-9])?Z$/);
  });
});

describe('slots', () => {
  test('hold back what does not fit, and higher priorities go first', async () => {
    const api = await start({ concurrency: 1 });
    const order: string[] = [];
    api.engine.workflow('slow', slow);
    api.engine.workflow('note', (input) => {
      order.push(input.name);
    });
    const first = await api.trigger('slow', { ms: 300 });
    await api.until(first, 'RUNNING');
    const low = await stub(api, { workflowName: 'note', input: { name: 'low' } });
    const high = await stub(api, { workflowName: 'note', input: { name: 'high' }, priority: 3 });
    expect(await api.status(low)).toBe('QUEUED');
    await api.until(low, 'COMPLETED');
    await api.until(high, 'COMPLETED');
    expect(order).toEqual(['high', 'low']);
  });
});

describe('retries', () => {
  test('go through FAILED to RUNNING, and the run keeps the old error', async () => {
    const api = await start({ retryDelayMs: 250 });
    api.engine.workflow(
      'flaky',
      (_, ctx) => {
        if (ctx.retryCount < 2) throw new Error(`attempt ${ctx.retryCount}`);
        return { at: ctx.retryCount };
      },
      { retries: 3 },
    );
    const id = await api.trigger('flaky');
    await api.until(id, 'FAILED');
    expect((await api.get(`/workflow-runs/${id}`)).workflowConfig.Tasks[0].Retries).toBe(3);
    await api.until(id, 'COMPLETED');
    const details = await api.get(`/workflow-runs/${id}`);
    expect(details.run.errorMessage).toContain('attempt 1');
    expect(details.tasks[0]).toMatchObject({ attempt: 3, retryCount: 2, errorMessage: '', output: { at: 2 } });
    const first = await api.get(`/tasks/${id}?attempt=1`);
    expect(first).toMatchObject({ status: 'FAILED', attempt: 1, output: {} });
    expect(first.errorMessage).toMatch(
      new RegExp(`\\n\\{"__hatchet_error_metadata__": \\{"task_run_external_id": "${id}"\\}\\}$`),
    );
    expect((await api.call('GET', `/tasks/${id}?attempt=4`)).status).toBe(500);
    expect((await api.call('GET', `/tasks/${id}?attempt=0`)).body).toEqual({
      message: 'Attempt must be greater than 0',
    });
    const retrying = (await api.events(id)).filter((event) => event.eventType === 'RETRYING');
    expect(retrying.map((event) => event.retryCount)).toEqual([2, 1]);
  });

  test('wait QUEUED through the back-off', async () => {
    const api = await start({ backoffSecondMs: 150 });
    api.engine.workflow('fail', broken, { retries: 1, backoff: { factor: 2, maxSeconds: 3 } });
    const id = await api.trigger('fail');
    await api.until(id, 'QUEUED');
    expect(await api.get(`/tasks/${id}`)).toMatchObject({ status: 'QUEUED', attempt: 2 });
    await eventually('both attempts', async () => (await api.get(`/tasks/${id}?`)).status === 'FAILED');
    await pause(20);
    expect(await api.get(`/tasks/${id}`)).toMatchObject({ status: 'FAILED', attempt: 2 });
    const retrying = (await api.events(id)).find((event) => event.eventType === 'RETRYING');
    expect(retrying.message).toMatch(/^This is retry number 1\. Retrying in 2s \(\d{4}-.*Z\)\.$/);
  });

  test('end at once with a NonRetryableError', async () => {
    const api = await start();
    let runs = 0;
    api.engine.workflow(
      'fail',
      () => {
        runs += 1;
        throw new NonRetryableError('never again');
      },
      { retries: 5 },
    );
    const id = await api.trigger('fail');
    await api.until(id, 'FAILED');
    await pause(30);
    expect(runs).toBe(1);
    expect(await api.status(id)).toBe('FAILED');
  });
});

describe('time', () => {
  test('out: FAILED without a text, the signal aborts, retries follow', async () => {
    const api = await start();
    const reasons: string[] = [];
    api.engine.workflow(
      'late',
      async (_, ctx) => {
        ctx.signal.addEventListener('abort', () => reasons.push(String(ctx.signal.reason)));
        await ctx.sleep(60_000);
      },
      { timeoutMs: 20, retries: 1 },
    );
    const id = await api.trigger('late');
    await eventually('both attempts', () => reasons.length === 2);
    await api.until(id, 'FAILED');
    expect(reasons[0]).toBe('Error: Task exceeded timeout of 20ms');
    expect(await api.get(`/tasks/${id}`)).toMatchObject({ status: 'FAILED', errorMessage: '', attempt: 2 });
    const [event] = await api.events(id);
    expect(event).toMatchObject({ eventType: 'TIMED_OUT', message: 'Task exceeded timeout of 20ms' });
  });
});

describe('outputs', () => {
  test('that are nothing or no object look alike', async () => {
    const api = await start();
    api.engine.workflow('nothing', () => {});
    api.engine.workflow('list', () => [1, 2]);
    for (const name of ['nothing', 'list']) {
      const id = await api.trigger(name);
      await api.until(id, 'COMPLETED');
      expect((await api.get(`/tasks/${id}`)).output).toEqual({});
    }
  });

  test('that JSON cannot hold fail the task', async () => {
    const api = await start();
    api.engine.workflow('cycle', () => {
      const cycle: Json = {};
      cycle.self = cycle;
      return cycle;
    });
    const id = await api.trigger('cycle');
    await api.until(id, 'FAILED');
    expect((await api.get(`/tasks/${id}`)).errorMessage).toContain('circular');
  });
});

describe('a DAG', () => {
  test('hands outputs on, and has the output of its latest step', async () => {
    const api = await start();
    api.engine.dag('dag', {
      a: { run: (input) => ({ a: input.n }) },
      b: { run: async (_, ctx) => ctx.sleep(40).then(() => ({ b: 1 })) },
      c: { parents: ['a', 'b'], run: (_, ctx) => ({ sum: [ctx.parentOutput('a'), ctx.parentOutput('b')] }) },
    });
    const id = await api.trigger('dag', { n: 3 });
    await api.until(id, 'COMPLETED');
    const { run, tasks } = await api.get(`/workflow-runs/${id}`);
    expect(run.input).toEqual({ n: 3 });
    expect(run.output).toEqual({ sum: [{ a: 3 }, { b: 1 }] });
    expect(tasks[0].input).toMatchObject({ input: { n: 3 }, parents: { a: { a: 3 }, b: { b: 1 } } });
    expect((await api.call('GET', `/tasks/${id}`)).status).toBe(404);
    expect((await api.call('GET', `/workflow-runs/${tasks[0].metadata.id}`)).status).toBe(404);
    expect((await api.get(`/tasks/${tasks[0].metadata.id}`)).input).toEqual({ n: 3 });
    const [row] = (await api.list('')).rows;
    expect(row).toMatchObject({ taskId: 0, type: 'DAG', stepId: '00000000-0000-0000-0000-000000000000' });
    expect(row.children.map((child: Json) => child.displayName.replace(/-.*/, ''))).toEqual(['c', 'b', 'a']);
  });

  test('goes on beside a failed step, and cancels what is behind it', async () => {
    const api = await start();
    api.engine.dag('dag', {
      bad: { run: broken },
      good: { run: async (_, ctx) => ctx.sleep(30).then(() => ({ ok: true })) },
      behind: { parents: ['bad', 'good'], run: echo },
      further: { parents: ['behind'], run: echo },
      after: { parents: ['good'], run: () => ({ after: true }) },
    });
    const id = await api.trigger('dag');
    await api.until(id, 'FAILED');
    const { tasks } = await api.get(`/workflow-runs/${id}`);
    const states = Object.fromEntries(tasks.map((task: Json) => [task.displayName.replace(/-.*/, ''), task.status]));
    expect(states).toEqual({
      bad: 'FAILED',
      good: 'COMPLETED',
      behind: 'CANCELLED',
      further: 'CANCELLED',
      after: 'COMPLETED',
    });
  });

  test('with parents that do not add up is refused', async () => {
    const api = await start();
    expect(() => api.engine.dag('dag', { a: { parents: ['x'], run: echo } })).toThrow('unknown parent');
    expect(() => api.engine.dag('dag', { a: { parents: ['b'], run: echo }, b: { parents: ['a'], run: echo } })).toThrow(
      'in a circle',
    );
  });
});

describe('children', () => {
  test('give their output to the parent, or their failure', async () => {
    const api = await start();
    api.engine.workflow('echo', echo);
    api.engine.workflow('fail', broken);
    api.engine.dag('dag', { a: { run: () => ({ a: 1 }) } });
    api.engine.workflow('parent', async (_, ctx) => ({
      task: await ctx.runChild('echo', { n: 1 }, { additionalMetadata: { own: 'yes' } }),
      dag: await ctx.runChild('dag'),
      failed: await ctx.runChild('fail').catch((error: unknown) => String(error).split('\n')[0]),
      unknown: await ctx.runChild('nope').catch(String),
    }));
    const id = await api.trigger('parent');
    await api.until(id, 'COMPLETED');
    const task = await api.get(`/tasks/${id}`);
    expect(task.output).toMatchObject({
      task: { echo: { n: 1 } },
      dag: { a: { a: 1 } },
      failed: expect.stringContaining('FAILED: Error: it broke'),
      unknown: 'Error: no workflow is called nope',
    });
    expect(task.numSpawnedChildren).toBe(3);
    expect((await api.get(`/workflow-runs/${id}/task-timings?depth=1`)).rows).toHaveLength(4);
    expect((await api.get(`/workflow-runs/${id}/task-timings`)).rows).toHaveLength(1);
    expect((await api.call('GET', `/workflow-runs/${id}/task-timings?depth=11`)).body).toEqual({
      errors: [{ description: 'depth must be less than or equal to 10' }],
    });
  });
});

describe('logs', () => {
  test('can be searched, cut and turned', async () => {
    const api = await start();
    api.engine.workflow('logs', (_, ctx) => {
      for (const line of ['one', 'two', 'three']) ctx.log(line);
    });
    const id = await api.trigger('logs');
    await api.until(id, 'COMPLETED');
    const lines = async (query: string): Promise<string[]> =>
      (await api.get(`/tasks/${id}/logs?${query}`)).rows.map((row: Json) => row.message);
    expect(await lines('')).toEqual(['one', 'two', 'three']);
    expect(await lines('order_by_direction=DESC&limit=2')).toEqual(['three', 'two']);
    expect(await lines('search=TW')).toEqual(['two']);
    expect(await lines('levels=ERROR')).toEqual([]);
    expect(await lines('attempt=2')).toEqual([]);
    expect((await api.call('GET', `/tasks/${id}/logs?limit=0`)).status).toBe(500);
  });
});

describe('the odd rest', () => {
  test('restore is always true, branches count up, a log of durable events is empty', async () => {
    const api = await start();
    api.engine.workflow('durable', echo, { durable: true });
    api.engine.workflow('plain', echo);
    const [durable, plain] = [await api.trigger('durable'), await api.trigger('plain')];
    await api.until(durable, 'COMPLETED');
    expect(await api.post(`/tasks/${durable}/restore`, {})).toEqual({ requeued: true });
    const branch = (taskExternalId: string) =>
      api.call('POST', '{T}/durable-tasks/branch', { body: { taskExternalId, nodeId: 99, branchId: 1 } });
    expect((await branch(durable)).body).toEqual({ branchId: 2, nodeId: 99, taskExternalId: durable });
    expect((await branch(durable)).body.branchId).toBe(3);
    expect((await branch(plain)).status).toBe(500);
    expect(await api.get(`{T}/durable-tasks/${durable}`)).toEqual([]);
    expect((await api.get(`/tasks/${durable}`)).isDurable).toBe(true);
  });
});
