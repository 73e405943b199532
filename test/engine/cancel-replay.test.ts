import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { broken, echo, eventually, quickEngine, slow } from './helpers.ts';
import type { Api, Json } from './helpers.ts';

const open: Api[] = [];
const start = async (...args: Parameters<typeof quickEngine>): Promise<Api> => {
  const api = await quickEngine(...args);
  open.push(api);
  api.engine.workflow('echo', echo);
  api.engine.workflow('slow', slow, { timeoutMs: 600_000 });
  api.engine.workflow('fail', broken);
  return api;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((api) => api.engine.close()));
});

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

const cancel = (api: Api, externalIds: string[]): Promise<Json> => api.post('{T}/tasks/cancel', { externalIds });
const replay = (api: Api, externalIds: string[]): Promise<Json> => api.post('{T}/tasks/replay', { externalIds });
const attempts = async (api: Api, query = ''): Promise<number[]> =>
  (await api.list(`limit=1000&${query}`)).rows.map((row: Json) => row.attempt);

describe('cancel', () => {
  test('echoes what it was asked, known or not', async () => {
    const api = await start();
    expect(await cancel(api, [UNKNOWN, UNKNOWN])).toEqual({ ids: [UNKNOWN, UNKNOWN] });
    for (const body of [{}, { externalIds: [] }, '']) {
      expect(await api.post('{T}/tasks/cancel', body)).toEqual({ ids: [] });
    }
    const malformed = await api.call('POST', '{T}/tasks/cancel', { body: { externalIds: ['abc'] } });
    expect([malformed.status, malformed.body]).toEqual([400, { message: 'invalid UUID length: 3' }]);
  });

  test('ends a run at once, even when its function does not listen', async () => {
    const api = await start({ concurrency: 1 });
    let release = (): void => {};
    let aborted = false;
    api.engine.workflow('deaf', async (_, ctx) => {
      ctx.signal.addEventListener('abort', () => (aborted = true));
      await new Promise<void>((resolve) => (release = resolve));
      return { late: true };
    });
    const id = await api.trigger('deaf');
    await api.until(id, 'RUNNING');
    await cancel(api, [id]);
    await api.until(id, 'CANCELLED');
    expect(aborted).toBe(true);
    release();
    const next = await api.trigger('echo');
    await api.until(next, 'COMPLETED');
    expect(await api.get(`/tasks/${id}`)).toMatchObject({ status: 'CANCELLED', output: {} });
    await cancel(api, [id]);
    expect((await api.events(id)).filter((event) => event.eventType === 'CANCELLED')).toHaveLength(1);
  });

  test('that comes before the run is stored is lost', async () => {
    const api = await start({ visibilityDelayMs: 250, storeDelayMs: 250 });
    const id = await api.trigger('slow', { ms: 300 });
    expect(await cancel(api, [id])).toEqual({ ids: [id] });
    await api.until(id, 'COMPLETED');
    const other = await start({ visibilityDelayMs: 250, storeDelayMs: 250, lostCancels: false });
    const kept = await other.trigger('slow', { ms: 60_000 });
    await cancel(other, [kept]);
    await other.until(kept, 'CANCELLED');
    const stored = await start({ visibilityDelayMs: 250, storeDelayMs: 0 });
    const found = await stored.trigger('slow', { ms: 60_000 });
    await cancel(stored, [found]);
    await stored.until(found, 'CANCELLED');
    expect(await stored.events(found)).not.toHaveLength(0);
  });

  test('of a finished run is seen under /tasks only', async () => {
    const api = await start();
    const id = await api.trigger('echo');
    await api.until(id, 'COMPLETED');
    const before = await api.get(`/tasks/${id}`);
    await pause(5);
    await cancel(api, [id]);
    expect(await api.status(id)).toBe('COMPLETED');
    const details = await api.get(`/workflow-runs/${id}`);
    expect(details.tasks[0].status).toBe('COMPLETED');
    const after = await api.get(`/tasks/${id}`);
    expect(after).toMatchObject({ status: 'CANCELLED', output: before.output });
    expect(after.finishedAt > before.finishedAt).toBe(true);
  });

  test('of a DAG, or of one step, takes the later steps with it', async () => {
    const api = await start();
    api.engine.dag('dag', {
      a: { run: () => ({ a: 1 }) },
      b: { parents: ['a'], run: (_, ctx) => ctx.sleep(60_000) },
      c: { parents: ['b'], run: echo },
    });
    for (const whole of [true, false]) {
      const id = await api.trigger('dag');
      await eventually('b runs', async () => (await api.get(`/workflow-runs/${id}`)).tasks.length === 2);
      const [b] = (await api.get(`/workflow-runs/${id}`)).tasks;
      await cancel(api, [whole ? id : b.metadata.id]);
      await api.until(id, 'CANCELLED');
      const { tasks } = await api.get(`/workflow-runs/${id}`);
      expect(tasks.map((task: Json) => task.status)).toEqual(['CANCELLED', 'CANCELLED', 'COMPLETED']);
      expect(tasks[0]).toMatchObject({ input: {}, output: {} });
      expect(tasks[0].startedAt).toBeUndefined();
    }
  });

  test('of a parent leaves its children alone', async () => {
    const api = await start();
    api.engine.workflow('parent', (_, ctx) => ctx.runChild('slow', { ms: 80 }));
    const id = await api.trigger('parent');
    await eventually('a child', async () => (await api.list(`parent_task_external_id=${id}`)).rows.length === 1);
    await cancel(api, [id]);
    await api.until(id, 'CANCELLED');
    const [child] = (await api.list(`parent_task_external_id=${id}`)).rows;
    await api.until(child.metadata.id, 'COMPLETED');
    expect(await api.status(id)).toBe('CANCELLED');
  });

  test('while a retry is due ends it', async () => {
    const api = await start({ backoffSecondMs: 60_000 });
    api.engine.workflow('flaky', broken, { retries: 3, backoff: { factor: 2, maxSeconds: 3 } });
    const id = await api.trigger('flaky');
    await api.until(id, 'QUEUED');
    await cancel(api, [id]);
    await api.until(id, 'CANCELLED');
    expect(await api.get(`/tasks/${id}`)).toMatchObject({ status: 'CANCELLED', attempt: 2 });
  });

  test('by filter takes the newest 20,000, finished ones too, and knows no AND', async () => {
    const api = await start();
    api.engine.seedRuns({
      count: 20_010,
      workflow: 'slow',
      since: new Date('2024-01-01'),
      status: (index) => (index % 2 === 0 ? 'QUEUED' : 'COMPLETED'),
      additionalMetadata: (index) => ({ all: 'yes', parity: String(index % 2) }),
    });
    const filter = async (more: object): Promise<Json> =>
      api.post('{T}/tasks/cancel', { filter: { since: '2024-01-01T00:00:00Z', ...more } });
    expect((await filter({ additionalMetadata: ['all:yes', 'parity:1'] })).ids).toHaveLength(20_000);
    expect((await filter({ statuses: ['QUEUED'] })).ids.length).toBeLessThan(11);
    expect((await filter({ status: ['QUEUED'], until: '2024-01-01T00:00:00.001Z' })).ids).toHaveLength(2);
    expect(await api.post('{T}/tasks/cancel', { filter: { additionalMetadata: ['all:yes'] } })).toEqual({ ids: [] });
    for (const wrong of [{ statuses: ['NOPE'] }, { additionalMetadata: ['all'] }]) {
      const body = { filter: { since: '2024-01-01T00:00:00Z', ...wrong } };
      expect((await api.call('POST', '{T}/tasks/cancel', { body })).status).toBe(500);
    }
    const both = { externalIds: [UNKNOWN], filter: { since: '2024-01-01T00:00:00Z' } };
    expect((await api.call('POST', '{T}/tasks/cancel', { body: both })).status).toBe(500);
  });

  test('takes 110,000 ids in one call, not 120,000', async () => {
    const api = await start();
    const many = (count: number) =>
      api.call('POST', '{T}/tasks/cancel', { body: { externalIds: Array.from({ length: count }, () => UNKNOWN) } });
    expect((await many(110_000)).body.ids).toHaveLength(110_000);
    expect((await many(120_000)).status).toBe(500);
  });
});

describe('replay', () => {
  test('runs again under the same id, with the next attempt', async () => {
    const api = await start();
    let runs = 0;
    api.engine.workflow('count', async (_, ctx) => {
      runs += 1;
      if (runs > 1) await ctx.sleep(400);
      return { runs };
    });
    const id = await api.trigger('count');
    await api.until(id, 'COMPLETED');
    const before = await api.get(`/workflow-runs/${id}`);
    expect(await replay(api, [id, UNKNOWN])).toEqual({ ids: [id] });
    await api.until(id, 'RUNNING');
    // The old output stays in details and lists, and is gone from the task.
    const during = await api.get(`/workflow-runs/${id}`);
    expect([during.run.output, during.tasks[0].output]).toEqual([{ runs: 1 }, { runs: 1 }]);
    expect((await api.list('include_payloads=true')).rows[0].output).toEqual({ runs: 1 });
    expect(await api.get(`/tasks/${id}`)).toMatchObject({ output: {}, attempt: 2, status: 'RUNNING' });
    expect(during.run.finishedAt).toBe('0001-01-01T00:00:00Z');
    await api.until(id, 'COMPLETED');
    const after = await api.get(`/workflow-runs/${id}`);
    expect(after.run.metadata).toEqual(before.run.metadata);
    expect(after.run.output).toEqual({ runs: 2 });
    expect((await api.get(`/tasks/${id}?attempt=1`)).output).toEqual({ runs: 1 });
    const event = (await api.events(id)).find(({ eventType }) => eventType === 'RETRIED_BY_USER');
    expect(event).toMatchObject({ retryCount: 0, message: 'Task was replayed, resetting task result.' });
  });

  test('skips what runs, takes what waits', async () => {
    const api = await start({ concurrency: 1 });
    const running = await api.trigger('slow', { ms: 300 });
    const waiting = await api.trigger('echo');
    await api.until(running, 'RUNNING');
    expect(await replay(api, [running, waiting])).toEqual({ ids: [running, waiting] });
    await api.until(running, 'COMPLETED');
    await api.until(waiting, 'COMPLETED');
    expect((await api.get(`/tasks/${running}`)).attempt).toBe(1);
    expect((await api.get(`/tasks/${waiting}`)).attempt).toBe(2);
    expect((await api.events(waiting)).filter(({ eventType }) => eventType === 'STARTED')).toHaveLength(1);
  });

  test('starts the retries afresh', async () => {
    const api = await start();
    api.engine.workflow('fail', broken, { retries: 2 });
    const id = await api.trigger('fail');
    const attempt = async (): Promise<number> => (await api.get(`/tasks/${id}`)).attempt;
    await eventually('attempt 3 fails', async () => (await attempt()) === 3 && (await api.status(id)) === 'FAILED');
    await pause(20);
    expect(await attempt()).toBe(3);
    await replay(api, [id]);
    await eventually('attempt 6 fails', async () => (await attempt()) === 6 && (await api.status(id)) === 'FAILED');
    await pause(20);
    expect(await attempt()).toBe(6);
  });

  test('of a DAG replays all steps, of a step that one and the later ones', async () => {
    const api = await start();
    api.engine.dag('dag', { a: { run: echo }, b: { parents: ['a'], run: echo }, c: { parents: ['b'], run: echo } });
    const id = await api.trigger('dag');
    await api.until(id, 'COMPLETED');
    const steps = async (): Promise<Json[]> => (await api.get(`/workflow-runs/${id}`)).tasks.toReversed();
    const ids = (await steps()).map((step) => step.metadata.id);
    const reach = (wanted: number[]): Promise<void> =>
      eventually(`attempts ${wanted.join()}`, async () => {
        const now = await steps();
        return now.every((step, index) => step.attempt === wanted[index] && step.status === 'COMPLETED');
      });
    expect(await replay(api, [id])).toEqual({ ids });
    await reach([2, 2, 2]);
    expect(await replay(api, [ids[1]])).toEqual({ ids: [ids[1]] });
    await reach([2, 3, 3]);
    expect(await api.status(id)).toBe('COMPLETED');
  });

  test('of a step behind a failed one lets it complete, and the run stays FAILED', async () => {
    const api = await start();
    api.engine.dag('dag', { bad: { run: broken }, behind: { parents: ['bad'], run: () => ({ ok: true }) } });
    const id = await api.trigger('dag');
    await api.until(id, 'FAILED');
    const [behind] = (await api.get(`/workflow-runs/${id}`)).tasks;
    await replay(api, [behind.metadata.id]);
    await eventually(
      'it completes',
      async () => (await api.get(`/tasks/${behind.metadata.id}`)).status === 'COMPLETED',
    );
    expect(await api.status(id)).toBe('FAILED');
  });

  test('by filter takes the newest 1,000', async () => {
    const api = await start({ lostReplays: false, replayBatchPauseMs: 0 });
    const ids = api.engine.seedRuns({ count: 1100, workflow: 'echo', since: new Date('2024-01-01') });
    const answer = await api.post('{T}/tasks/replay', { filter: { since: '2024-01-01T00:00:00Z' } });
    expect(answer.ids).toHaveLength(1000);
    expect(answer.ids).not.toContain(ids[0]);
  });

  test('loses the third and later hundred of one call', async () => {
    const api = await start();
    const ids = api.engine.seedRuns({ count: 300, workflow: 'echo', status: 'FAILED' });
    const begin = Date.now();
    expect((await replay(api, ids)).ids).toHaveLength(300);
    expect(Date.now() - begin).toBeGreaterThanOrEqual(14);
    await eventually('two hundred', async () => (await attempts(api, 'statuses=COMPLETED')).length === 200);
    expect((await attempts(api)).filter((attempt) => attempt === 1)).toHaveLength(100);
  });

  test('loses calls that come while another is at work, and none one at a time', async () => {
    const api = await start({ replayBatchPauseMs: 150 });
    const ids = api.engine.seedRuns({ count: 5, workflow: 'echo', status: 'FAILED' });
    const answers = await Promise.all(ids.map((id) => replay(api, [id])));
    expect(answers.map((answer) => answer.ids)).toEqual(ids.map((id) => [id]));
    await pause(20);
    expect((await attempts(api)).filter((attempt) => attempt === 2)).toHaveLength(1);
    for (const id of ids) await replay(api, [id]);
    await eventually('all', async () => (await attempts(api)).every((attempt) => attempt >= 2));
  });

  test('loses nothing when told so', async () => {
    const api = await start({ lostReplays: false });
    const ids = api.engine.seedRuns({ count: 300, workflow: 'echo', status: 'CANCELLED' });
    await Promise.all([replay(api, ids.slice(0, 250)), replay(api, ids.slice(250))]);
    await eventually('all', async () => (await attempts(api)).every((attempt) => attempt === 2));
    expect(await attempts(api)).toHaveLength(300);
  });
});
