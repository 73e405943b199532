import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { broken, echo, eventually, quickEngine, slow } from './helpers.ts';
import type { Api, Json } from './helpers.ts';

let api: Api;
beforeAll(async () => {
  api = await quickEngine();
  api.engine.workflow('echo', echo);
  api.engine.workflow('other', echo);
  api.engine.workflow('fail', broken);
  api.engine.workflow('slow', slow);
  api.engine.workflow('parent', (_, ctx) => Promise.all([ctx.runChild('echo'), ctx.runChild('echo')]).then(() => ({})));
});
afterAll(() => api.engine.close());

const since = new Date('2024-05-01T00:00:00Z');
const window = 'since=2024-05-01&until=2024-05-01T01:00:00Z';
const listed = async (query: string, onlyTasks = false): Promise<Json> =>
  api.get(`{T}/workflow-runs?only_tasks=${onlyTasks}&${query}`);
const idsOf = ({ rows }: Json): string[] => rows.map((row: Json) => row.metadata.id);

describe('pages', () => {
  let ids: string[];
  beforeAll(() => {
    ids = api.engine.seedRuns({
      count: 120,
      workflow: 'echo',
      since,
      tie: 40,
      stepMicros: 7,
      status: (index) => (index % 3 === 0 ? 'FAILED' : 'COMPLETED'),
      additionalMetadata: (index) => ({ page: 'yes', parity: index % 2 === 0 ? 'even' : 'odd', n: index }),
      input: (index) => ({ index }),
      output: (index) => ({ index }),
    });
  });

  test('are newest first, 50 by default, and have a next page for ever', async () => {
    const first = await listed(window);
    expect(first.rows).toHaveLength(50);
    expect(first.pagination).toEqual({ current_page: 1, next_page: 2, num_pages: 3 });
    const pages = await Promise.all([0, 50, 100, 150].map((offset) => listed(`${window}&offset=${offset}`)));
    expect(pages.flatMap(idsOf)).toEqual(ids.toReversed());
    expect(pages.at(-1).pagination).toEqual({ current_page: 4, next_page: 5, num_pages: 3 });
  });

  test('windows are inclusive at both ends, external-ids at the upper only', async () => {
    const [newest] = (await listed(`${window}&limit=1`)).rows;
    const at = newest.metadata.createdAt;
    expect(at).toBe('2024-05-01T00:00:00.000014Z');
    expect(idsOf(await listed(`since=${at}&until=${at}`))).toEqual(ids.slice(80).toReversed());
    expect(await api.get(`{T}/workflow-runs/external-ids?since=${at}&until=2024-05-02`)).toBeNull();
    const lower = '2024-05-01T00:00:00.000007Z';
    const found = await api.get(`{T}/workflow-runs/external-ids?since=${lower}&until=${at}`);
    expect(found.toSorted()).toEqual(ids.slice(80).toSorted());
    expect(found).not.toEqual(ids.slice(80).toReversed());
  });

  test('without since there is nothing, and no complaint', async () => {
    expect(await listed('limit=5')).toEqual({
      pagination: { current_page: 1, next_page: 2, num_pages: 0 },
      rows: [],
    });
    expect(await api.get('{T}/workflow-runs/external-ids')).toBeNull();
  });

  test('payloads come only when asked for', async () => {
    const [bare] = (await listed(`${window}&limit=1`)).rows;
    expect([bare.input, bare.output]).toEqual([{}, {}]);
    const [full] = (await listed(`${window}&limit=1&include_payloads=true`)).rows;
    expect(full.input.input).toEqual({ index: 119 });
    expect(full.output).toEqual({ index: 119 });
  });

  test('unknown statuses are dropped, and with none left the filter is off', async () => {
    const count = async (query: string): Promise<number> => (await listed(`${window}&limit=200&${query}`)).rows.length;
    expect(await count('statuses=FAILED')).toBe(40);
    expect(await count('statuses=FAILED&statuses=COMPLETED')).toBe(120);
    expect(await count('statuses=FAILED&statuses=NOPE')).toBe(40);
    expect(await count('statuses=NOPE')).toBe(120);
    expect(await count('statuses=failed')).toBe(120);
    expect(await count('statuses=FAILED,CANCELLED')).toBe(120);
    expect(await count('nonsense=1&status=FAILED')).toBe(120);
  });

  test('metadata is OR, AND only in capitals and only here', async () => {
    const count = async (query: string): Promise<number> => (await listed(`${window}&limit=200&${query}`)).rows.length;
    const pairs = 'additional_metadata=page:yes&additional_metadata=parity:even';
    expect(await count('additional_metadata=parity:even')).toBe(60);
    expect(await count(pairs)).toBe(120);
    expect(await count(`${pairs}&additional_metadata_operator=AND`)).toBe(60);
    expect(await count(`${pairs}&additional_metadata_operator=and`)).toBe(120);
    expect(await count('additional_metadata=parity')).toBe(120);
    expect(await count('additional_metadata=parity:odd&additional_metadata=parity:none')).toBe(0);
    const ids = await api.get(`{T}/workflow-runs/external-ids?${window}&${pairs}&additional_metadata_operator=AND`);
    expect(ids).toHaveLength(80);
  });

  test('a number is found by two pairs, never by one', async () => {
    const count = async (query: string): Promise<number> => (await listed(`${window}&limit=200&${query}`)).rows.length;
    expect(await count('additional_metadata=n:5')).toBe(0);
    expect(await count('additional_metadata=n:5&additional_metadata=no:body')).toBe(1);
    expect(await count('additional_metadata=n:5&additional_metadata=page:yes&additional_metadata_operator=AND')).toBe(
      0,
    );
  });

  test('metrics count runs, always in all five statuses', async () => {
    expect(await api.get(`{T}/task-metrics?${window}&additional_metadata=parity:even`)).toEqual([
      { count: 0, status: 'CANCELLED' },
      { count: 40, status: 'COMPLETED' },
      { count: 20, status: 'FAILED' },
      { count: 0, status: 'QUEUED' },
      { count: 0, runningDetailCount: { evicted: 0, onWorker: 0 }, status: 'RUNNING' },
    ]);
    const points = await api.get('{T}/task-point-metrics?createdAfter=2024-05-01&finishedBefore=2024-05-02');
    expect(points).toEqual({ results: [{ FAILED: 40, SUCCEEDED: 80, time: '2024-05-01T00:00:00Z' }] });
  });
});

describe('other filters', () => {
  test('workflows', async () => {
    const { rows } = await api.get('/api/v1/tenants/default/workflows?name=other');
    expect(rows.map((row: Json) => row.name)).toEqual(['other']);
    const id = await api.trigger('other');
    await api.until(id, 'COMPLETED');
    expect(idsOf(await api.list(`workflow_ids=${rows[0].metadata.id}`))).toEqual([id]);
    expect(idsOf(await api.list('workflow_ids=00000000-0000-4000-8000-000000000000'))).toEqual([]);
  });

  test('parents among runs, workers among tasks', async () => {
    const parent = await api.trigger('parent', {}, { tag: 'family' });
    await api.until(parent, 'COMPLETED');
    const children = (await api.list(`parent_task_external_id=${parent}`)).rows;
    expect(children).toHaveLength(2);
    expect(children[0].metadata.createdAt).toBe(children[1].metadata.createdAt);
    expect(children[0].additionalMetadata).toMatchObject({
      tag: 'family',
      hatchet__parent_step_run_id: parent,
      hatchet__parent_workflow_run_id: parent,
    });
    const all = await listed('since=2025-01-01', true);
    const ofParent = await listed(`since=2025-01-01&parent_task_external_id=${parent}`, true);
    expect(ofParent.rows.length).toBe(all.rows.length);
    const unknown = '00000000-0000-4000-8000-000000000000';
    const { rows } = await api.get('/api/v1/tenants/default/worker');
    expect((await listed(`since=2025-01-01&worker_id=${unknown}`)).rows.length).toBeGreaterThan(0);
    expect((await listed(`since=2025-01-01&worker_id=${unknown}`, true)).rows).toEqual([]);
    expect((await listed(`since=2025-01-01&worker_id=${rows[0].metadata.id}`, true)).rows.length).toBe(all.rows.length);
  });

  test('EVICTED takes away what is RUNNING', async () => {
    const id = await api.trigger('slow', { ms: 60_000 }, { tag: 'evicted' });
    await api.until(id, 'RUNNING');
    const count = async (query: string): Promise<number> =>
      (await api.list(`additional_metadata=tag:evicted&${query}`)).rows.length;
    expect(await count('statuses=RUNNING')).toBe(1);
    expect(await count('statuses=RUNNING&running_filter=EVICTED')).toBe(0);
    expect(await count('running_filter=EVICTED')).toBe(0);
    expect(await count('running_filter=ON_WORKER')).toBe(1);
    expect(await count('running_filter=NOPE')).toBe(1);
  });

  test('display names leave out what is unknown', async () => {
    const id = await api.trigger('echo');
    await eventually('readable', async () => (await api.call('GET', `/tasks/${id}`)).status === 200);
    const query = `external_ids=00000000-0000-4000-8000-000000000000&external_ids=${id}`;
    const { rows, pagination } = await api.get(`{T}/workflow-runs/display-names?${query}`);
    expect(rows.map((row: Json) => row.metadata.id)).toEqual([id]);
    expect(rows[0].displayName).toMatch(/^echo-\d{13}$/);
    expect(pagination).toEqual({ current_page: 1, num_pages: 1 });
    expect((await api.call('GET', '{T}/workflow-runs/display-names')).status).toBe(400);
  });
});

describe('20,000 runs', () => {
  test('are counted up to 20,000 only, and can be paged beyond', async () => {
    const start = new Date('2023-01-01T00:00:00Z');
    const ids = api.engine.seedRuns({ count: 20_500, workflow: 'echo', since: start, tie: 1000 });
    const all = 'since=2022-12-31&until=2023-12-31';
    const page = await listed(`${all}&limit=500&offset=20000`);
    expect(page.pagination).toEqual({ current_page: 41, next_page: 42, num_pages: 40 });
    expect(idsOf(page)).toEqual(ids.slice(0, 500).toReversed());
    const found: string[] = await api.get(`{T}/workflow-runs/external-ids?${all}`);
    expect(found.toSorted().join() === ids.toSorted().join()).toBe(true);
  });
});

describe('workflows', () => {
  test('are paged, and the last page names itself as the next', async () => {
    const path = '/api/v1/tenants/default/workflows';
    const first = await api.get(`${path}?limit=2`);
    expect(first.pagination).toEqual({ current_page: 1, next_page: 2, num_pages: 3 });
    const last = await api.get(`${path}?limit=2&offset=4`);
    expect(last.pagination).toEqual({ current_page: 3, next_page: 3, num_pages: 3 });
    expect(last.rows).toHaveLength(1);
    expect((await api.get(`${path}?limit=0`)).rows).toHaveLength(5);
  });
});
