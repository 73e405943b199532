import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { EngineOptions } from 'hatchet-rx/testing';
import { broken, echo, eventually, quickEngine, slow } from './helpers.ts';
import type { Api, Json } from './helpers.ts';

const recording = (name: string): { status: number; body: Json } =>
  JSON.parse(readFileSync(new URL(`../fixtures/rest/${name}.json`, import.meta.url), 'utf8'));

const ZERO_UUID = '00000000-0000-0000-0000-000000000000';

// What users put in: only the wrapping counts, not the content.
const USER_DATA = new Set(['input', 'output', 'parents']);

/** The shape of a value: keys, kinds, and every constant that has a meaning. */
const shapeOf = (value: Json, key = ''): Json => {
  if (value === null) return null;
  if (Array.isArray(value)) return [...new Set(value.map((item) => JSON.stringify(shapeOf(item))))].toSorted();
  if (typeof value === 'object') {
    if (key === 'additionalMetadata') {
      const own = Object.keys(value).filter((name) => name === 'traceparent' || name.startsWith('hatchet__'));
      return own.toSorted();
    }
    if (USER_DATA.has(key) && !('user_data' in value)) return Object.keys(value).length === 0 ? 'empty' : 'data';
    return Object.fromEntries(
      Object.keys(value)
        .toSorted()
        .map((name) => [name, shapeOf(value[name], name)]),
    );
  }
  if (typeof value !== 'string') {
    // Durations that are nonsense are worth a comparison, true ones are not.
    return key === 'duration' && Math.abs(value) > 1e9 ? value : typeof value;
  }
  if (value === ZERO_UUID) return 'zero uuid';
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-/.test(value)) return 'uuid';
  if (value.startsWith('0001-01-01')) return 'zero time';
  if (/^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(value)) return 'time';
  if (key === 'status' || key === 'type' || key === 'eventType' || key === 'kind') return value;
  if (key === 'errorMessage')
    return value === '' ? '' : value.replace(/^[\s\S]*\n/, '').replace(/"[0-9a-f-]{36}"/, 'id');
  return value === '' ? '' : 'text';
};

const recorded = (name: string): Json => shapeOf(recording(name).body);

const createGate = (): { opened: Promise<void>; open: () => void } => {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
};

describe('answers have the shape of the recorded ones', () => {
  let api: Api;
  // Steps that wait for it are sure to be seen RUNNING.
  let gate = createGate();
  beforeAll(async () => {
    api = await quickEngine({ retryDelayMs: 400, backoffSecondMs: 200 });
    const { engine } = api;
    engine.workflow('echo', echo);
    engine.workflow('slow', slow, { timeoutMs: 600_000 });
    engine.workflow('fail', broken);
    engine.workflow('nothing', () => {});
    engine.workflow('late', (_, ctx) => ctx.sleep(60_000), { timeoutMs: 20 });
    engine.workflow('logs', (_, ctx) => {
      for (const line of ['one', 'two', 'three']) ctx.log(line);
      return { ok: true };
    });
    engine.workflow(
      'flaky',
      async (_, ctx) => {
        if (ctx.retryCount === 0) throw new Error('first attempt');
        await ctx.sleep(50);
        return { attempt: ctx.retryCount };
      },
      { retries: 1, backoff: { factor: 2, maxSeconds: 10 } },
    );
    engine.dag('dag', {
      a: { run: () => ({ a: 1 }) },
      b: {
        parents: ['a'],
        run: async () => {
          await gate.opened;
          return { b: 2 };
        },
      },
      c: { parents: ['b'], run: () => ({ c: 3 }) },
    });
    engine.dag('dagfail', {
      ok: { run: () => ({ ok: true }) },
      bad: { parents: ['ok'], run: broken },
      never: { parents: ['bad'], run: echo },
    });
    engine.workflow('gated', () => gate.opened.then(() => ({ ok: true })));
    engine.workflow('parent', async (input, ctx) => {
      await Promise.all(Array.from({ length: 3 }, () => ctx.runChild('gated', input)));
      return { children: 3 };
    });
  });
  afterAll(() => api.engine.close());

  const kindsOf = ['details', 'task', 'list-row', 'status'];

  /** The shapes of details, task, row and status of a run. */
  const shapesOf = async (id: string, name: string, kinds = kindsOf): Promise<Json> => {
    const ask: Record<string, () => Promise<Json>> = {
      details: () => api.get(`/workflow-runs/${id}`),
      task: () => api.get(`/tasks/${id}`),
      'list-row': () => api.list(`include_payloads=true&additional_metadata=k:${name}`),
      status: () => api.get(`/workflow-runs/${id}/status`),
    };
    const shapes: Json = {};
    for (const kind of kinds) shapes[kind] = shapeOf(await ask[kind]?.());
    return shapes;
  };
  const recordedOf = (name: string, kinds = kindsOf): Json =>
    Object.fromEntries(kinds.map((kind) => [kind, recorded(`${name}-${kind}`)]));

  test('of a completed run', async () => {
    const id = await api.trigger('echo', { n: 7 }, { k: 'single-completed' });
    await api.until(id, 'COMPLETED');
    expect(await shapesOf(id, 'single-completed')).toEqual(recordedOf('single-completed'));
    expect(shapeOf(await api.list('additional_metadata=k:single-completed'))).toEqual(
      recorded('single-completed-list-row-no-payloads'),
    );
    expect(
      shapeOf(
        await api.get(
          '{T}/workflow-runs?only_tasks=true&since=2000-01-01&include_payloads=true&additional_metadata=k:single-completed',
        ),
      ),
    ).toEqual(recorded('single-completed-only-tasks'));
    expect(shapeOf(await api.get(`/tasks/${id}/task-events?limit=50&offset=0`))).toEqual(
      recorded('single-completed-task-events'),
    );
    expect(shapeOf(await api.get(`/tasks/${id}/task-events`))).toEqual(
      recorded('single-completed-task-events-no-limit'),
    );
    expect(shapeOf(await api.get(`/workflow-runs/${id}/task-events?limit=50`))).toEqual(
      recorded('single-completed-run-task-events'),
    );
    expect(shapeOf(await api.get(`/workflow-runs/${id}/task-timings?depth=0`))).toEqual(
      recorded('single-completed-timings'),
    );
    expect(shapeOf(await api.get(`/tasks/${id}?attempt=1`))).toEqual(recorded('task-get-attempt-1'));
  });

  test('of a running run, and of one that waits for a slot', async () => {
    await using other = await quickEngineWith({ concurrency: 1 });
    const first = await other.api.trigger('slow', { ms: 60_000 }, { k: 'single-running' });
    const second = await other.api.trigger('slow', { ms: 1 }, { k: 'single-queued' });
    await other.api.until(first, 'RUNNING');
    const ours = api;
    api = other.api;
    expect(await shapesOf(first, 'single-running')).toEqual(recordedOf('single-running'));
    expect(shapeOf(await api.get(`/tasks/${first}/task-events?limit=50`))).toEqual(
      recorded('single-running-task-events'),
    );
    expect(await shapesOf(second, 'single-queued')).toEqual(recordedOf('single-queued'));
    expect(shapeOf(await api.get(`/workflow-runs/${second}/task-timings`))).toEqual(recorded('single-queued-timings'));
    api = ours;
  });

  test('of a run cancelled while QUEUED', async () => {
    await using other = await quickEngineWith({ concurrency: 1 });
    const first = await other.api.trigger('slow', { ms: 60_000 });
    const second = await other.api.trigger('slow', { ms: 1 }, { k: 'single-cancelled-queued' });
    await other.api.until(first, 'RUNNING');
    const answer = await other.api.post('{T}/tasks/cancel', { externalIds: [second] });
    expect(shapeOf(answer)).toEqual(recorded('cancel-ids'));
    await other.api.until(second, 'CANCELLED');
    const ours = api;
    api = other.api;
    expect(await shapesOf(second, 'single-cancelled-queued')).toEqual(recordedOf('single-cancelled-queued'));
    api = ours;
  });

  test('of a run cancelled while RUNNING', async () => {
    const id = await api.trigger('slow', { ms: 60_000 }, { k: 'single-cancelled-running' });
    await api.until(id, 'RUNNING');
    await api.post('{T}/tasks/cancel', { externalIds: [id] });
    await api.until(id, 'CANCELLED');
    expect(await shapesOf(id, 'single-cancelled-running')).toEqual(recordedOf('single-cancelled-running'));
    expect(shapeOf(await api.get(`/tasks/${id}/task-events?limit=50`))).toEqual(
      recorded('single-cancelled-task-events'),
    );
  });

  test('of a failed run', async () => {
    const id = await api.trigger('fail', {}, { k: 'single-failed' });
    await api.until(id, 'FAILED');
    expect(await shapesOf(id, 'single-failed')).toEqual(recordedOf('single-failed'));
    expect(shapeOf(await api.get(`/tasks/${id}/task-events?limit=50`))).toEqual(recorded('single-failed-task-events'));
  });

  test('of a run that ran out of time', async () => {
    const id = await api.trigger('late');
    await api.until(id, 'FAILED');
    expect(await shapesOf(id, 'single-timeout', ['details', 'task'])).toEqual(
      recordedOf('single-timeout', ['details', 'task']),
    );
    expect(shapeOf(await api.get(`/tasks/${id}/task-events?limit=50`))).toEqual(recorded('single-timeout-task-events'));
  });

  test('of a run without an output', async () => {
    const id = await api.trigger('nothing', {}, { k: 'null-output' });
    await api.until(id, 'COMPLETED');
    expect(await shapesOf(id, 'null-output', ['details', 'task', 'list-row'])).toEqual(
      recordedOf('null-output', ['details', 'task', 'list-row']),
    );
  });

  test('of a run between its attempts, and after the second', async () => {
    const id = await api.trigger('flaky', {}, { k: 'retry' });
    await api.until(id, 'FAILED');
    expect(await shapesOf(id, 'retry-failed-between-attempts', ['details', 'task', 'status'])).toEqual(
      recordedOf('retry-failed-between-attempts', ['details', 'task', 'status']),
    );
    await api.until(id, 'QUEUED');
    expect(await shapesOf(id, 'retry-queued', ['details', 'task'])).toEqual(
      recordedOf('retry-queued', ['details', 'task']),
    );
    await api.until(id, 'COMPLETED');
    expect(await shapesOf(id, 'retry-completed', ['details', 'task'])).toEqual(
      recordedOf('retry-completed', ['details', 'task']),
    );
    expect(shapeOf(await api.list('include_payloads=true&additional_metadata=k:retry'))).toEqual(
      recorded('retry-completed-list-row'),
    );
    expect(shapeOf(await api.get(`/tasks/${id}?attempt=1`))).toEqual(recorded('retry-attempt-1'));
    expect(shapeOf(await api.get(`/tasks/${id}/task-events?limit=50`))).toEqual(recorded('retry-task-events'));
  });

  test('of a DAG while it runs, and when it is done', async () => {
    gate = createGate();
    const id = await api.trigger('dag', { n: 1 }, { k: 'dag' });
    await eventually('step b runs', async () => (await api.get(`/workflow-runs/${id}`)).tasks.length === 2);
    await pause(10);
    expect(await shapesOf(id, 'dag-running', ['details', 'status'])).toEqual(
      recordedOf('dag-running', ['details', 'status']),
    );
    expect(shapeOf(await api.list('include_payloads=true&additional_metadata=k:dag'))).toEqual(
      recorded('dag-running-list-row'),
    );
    const [b] = (await api.get(`/workflow-runs/${id}`)).tasks;
    expect(shapeOf(await api.get(`/tasks/${b.metadata.id}`))).toEqual(recorded('dag-running-step-task'));
    gate.open();
    await api.until(id, 'COMPLETED');
    expect(await shapesOf(id, 'dag-completed', ['details', 'status'])).toEqual(
      recordedOf('dag-completed', ['details', 'status']),
    );
    expect(shapeOf(await api.list('include_payloads=true&additional_metadata=k:dag'))).toEqual(
      recorded('dag-completed-list-row'),
    );
    expect(shapeOf(await api.get(`/workflow-runs/${id}/task-events`))).toEqual(
      recorded('dag-completed-run-task-events'),
    );
    expect(shapeOf(await api.get(`/workflow-runs/${id}/task-timings?depth=2`))).toEqual(
      recorded('dag-completed-timings'),
    );
    expect(
      shapeOf(
        await api.get(
          '{T}/workflow-runs?only_tasks=true&since=2000-01-01&include_payloads=true&additional_metadata=k:dag',
        ),
      ),
    ).toEqual(recorded('dag-list-only-tasks'));
  });

  test('of a DAG that fails, is cancelled, is replayed', async () => {
    const failed = await api.trigger('dagfail', {}, { k: 'dagfail' });
    await api.until(failed, 'FAILED');
    expect(await shapesOf(failed, 'dag-failed', ['details', 'status'])).toEqual(
      recordedOf('dag-failed', ['details', 'status']),
    );
    expect(shapeOf(await api.list('include_payloads=true&additional_metadata=k:dagfail'))).toEqual(
      recorded('dag-failed-list-row'),
    );
    expect(shapeOf(await api.post('{T}/tasks/replay', { externalIds: [failed] }))).toEqual(recorded('replay-dag'));
    await eventually('the replay is done', async () => {
      const { tasks } = await api.get(`/workflow-runs/${failed}`);
      return tasks.every((task: Json) => task.attempt === 2 && task.status !== 'RUNNING');
    });
    expect(shapeOf(await api.get(`/workflow-runs/${failed}`))).toEqual(recorded('dag-replayed-details'));

    gate = createGate();
    const cancelled = await api.trigger('dag', { n: 1 }, { k: 'dagcan' });
    await eventually('step b runs', async () => (await api.get(`/workflow-runs/${cancelled}`)).tasks.length === 2);
    expect(shapeOf(await api.post('{T}/tasks/cancel', { externalIds: [cancelled] }))).toEqual(
      recorded('cancel-dag-id'),
    );
    await api.until(cancelled, 'CANCELLED');
    expect(shapeOf(await api.get(`/workflow-runs/${cancelled}`))).toEqual(recorded('dag-cancelled-details'));
    expect(shapeOf(await api.list('include_payloads=true&additional_metadata=k:dagcan'))).toEqual(
      recorded('dag-cancelled-list-row'),
    );
  });

  test('of a parent and its children', async () => {
    gate = createGate();
    const id = await api.trigger('parent', { n: 1 }, { k: 'parent' });
    await eventually('children run', async () => {
      const { rows } = await api.get(`/workflow-runs/${id}/task-timings?depth=1`);
      return rows.length === 4 && rows.every((row: Json) => row.status === 'RUNNING');
    });
    expect(shapeOf(await api.get(`/workflow-runs/${id}`))).toEqual(recorded('parent-running-details'));
    expect(shapeOf(await api.get(`/tasks/${id}`))).toEqual(recorded('parent-running-task'));
    expect(shapeOf(await api.get(`/workflow-runs/${id}/task-timings?depth=1`))).toEqual(recorded('parent-timings'));
    expect(shapeOf(await api.list(`parent_task_external_id=${id}`))).toEqual(recorded('list-parent-task-external-id'));
    gate.open();
    await api.until(id, 'COMPLETED');
    expect(shapeOf(await api.get(`/tasks/${id}`))).toEqual(recorded('parent-completed-task'));
  });

  test('of a replayed run', async () => {
    const id = await api.trigger('echo', { n: 7 }, { k: 'replayed' });
    await api.until(id, 'COMPLETED');
    expect(shapeOf(await api.post('{T}/tasks/replay', { externalIds: [id] }))).toEqual(recorded('replay-ids'));
    await eventually('attempt 2 is done', async () => (await api.get(`/tasks/${id}`)).output.echo !== undefined);
    expect(await shapesOf(id, 'replayed-completed', ['details', 'task'])).toEqual(
      recordedOf('replayed-completed', ['details', 'task']),
    );
    expect(shapeOf(await api.get(`/tasks/${id}/task-events?limit=50`))).toEqual(recorded('replayed-task-events'));
  });

  test('of logs, names and metrics', async () => {
    const id = await api.trigger('logs');
    await api.until(id, 'COMPLETED');
    expect(shapeOf(await api.get(`/tasks/${id}/logs`))).toEqual(recorded('task-logs'));
    expect(shapeOf(await api.get(`/tasks/${id}/logs?limit=1&order_by_direction=DESC`))).toEqual(
      recorded('task-logs-limit-desc'),
    );
    expect(shapeOf(await api.get('{T}/logs?limit=2'))).toEqual(recorded('tenant-logs'));
    expect(shapeOf(await api.get(`{T}/workflow-runs/display-names?external_ids=${id}`))).toEqual(
      recorded('display-names'),
    );
    expect(shapeOf(await api.get('{T}/task-metrics?since=2000-01-01'))).toEqual(recorded('task-metrics'));
    expect(shapeOf(await api.get('{T}/task-point-metrics'))).toEqual(recorded('task-point-metrics'));
    expect(shapeOf(await api.get('{T}/workflow-runs/external-ids?since=2000-01-01'))).toEqual(recorded('external-ids'));
  });

  test('of triggers', async () => {
    const trigger = async (body: unknown): Promise<Json> => api.post('{T}/workflow-runs/trigger', body);
    const stub = await trigger({ workflowName: 'echo', input: { n: 1 }, return_only_id: true });
    expect(shapeOf(stub)).toEqual(recorded('trigger-return-only-id'));
    expect(shapeOf(await trigger({ workflowName: 'nope', input: {}, return_only_id: true }))).toEqual(
      recorded('trigger-unknown-return-only-id'),
    );
    await using late = await quickEngineWith({ visibilityDelayMs: 20, blockingPollMs: 40 });
    late.api.engine.workflow('echo', echo);
    expect(
      shapeOf(await late.api.post('{T}/workflow-runs/trigger', { workflowName: 'echo', input: { n: 1 } })),
    ).toEqual(recorded('trigger-blocking'));
  });
});

const quickEngineWith = async (
  options: EngineOptions,
): Promise<{ api: Api; [Symbol.asyncDispose](): Promise<void> }> => {
  const api = await quickEngine(options);
  api.engine.workflow('slow', slow, { timeoutMs: 600_000 });
  return { api, [Symbol.asyncDispose]: () => api.engine.close() };
};
