import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { echo, eventually, quickEngine } from './helpers.ts';
import type { Api, Json } from './helpers.ts';

let api: Api;
let id: string;
let path: string;
beforeEach(async () => {
  api = await quickEngine();
  api.engine.workflow('echo', echo);
  id = await api.trigger('echo', { n: 1 });
  await api.until(id, 'COMPLETED');
  path = `${api.engine.url}/api/v1/stable/workflow-runs/${id}/status`;
});
afterEach(() => api.engine.close());

const ask = (): Promise<Response> => fetch(path, { headers: { authorization: `Bearer ${api.engine.token}` } });
const last = () => api.engine.requests.at(-1);
/** A mark of what came: the status, or that nothing did. */
const mark = async (): Promise<number | 'broken'> => {
  try {
    const response = await ask();
    await response.text();
    return response.status;
  } catch {
    return 'broken';
  }
};
const marks = async (count: number): Promise<(number | 'broken')[]> => {
  const found: (number | 'broken')[] = [];
  for (let index = 0; index < count; index += 1) found.push(await mark());
  return found;
};

describe('a fault', () => {
  test('strikes as often as it says', async () => {
    const { faults } = api.engine;
    faults.add({ kind: 'status', status: 503, times: 2 });
    expect(await marks(3)).toEqual([503, 503, 200]);
    faults.clear();
    faults.add({ kind: 'status', status: 503, every: 2 });
    expect(await marks(4)).toEqual([200, 503, 200, 503]);
    faults.clear();
    faults.add({ kind: 'status', status: 503, skip: 1, times: 1 });
    expect(await marks(3)).toEqual([200, 503, 200]);
  });

  test('strikes what it matches, until it is removed', async () => {
    const { faults } = api.engine;
    const strikes = async (match: Json): Promise<boolean> => {
      const remove = faults.add({ kind: 'status', status: 418, match });
      const struck = (await mark()) === 418;
      remove();
      expect(await mark()).toBe(200);
      return struck;
    };
    expect(await strikes({ method: 'GET', path: '/status' })).toBe(true);
    expect(await strikes({ method: 'POST' })).toBe(false);
    expect(await strikes({ path: /workflow-runs\/[^/]+\/status$/ })).toBe(true);
    expect(await strikes({ path: /tasks/ })).toBe(false);
    expect(await strikes({ operation: 'getRunStatus' })).toBe(true);
    expect(await strikes({ operation: ['listRuns', 'getRun'] })).toBe(false);
    expect(await strikes({ when: ({ path: asked }: Json) => asked.includes(id) })).toBe(true);
  });
});

describe('drop', () => {
  test('before: nothing was done', async () => {
    api.engine.faults.add({ kind: 'drop', match: { operation: 'trigger' }, times: 1 });
    await expect(api.trigger('echo', {}, { tag: 'lost' })).rejects.toThrow('fetch failed');
    await pause(10);
    expect((await api.list('additional_metadata=tag:lost')).rows).toEqual([]);
    const record = api.engine.requests.find(({ operation, faults }) => operation === 'trigger' && faults.length > 0);
    expect(record).toMatchObject({ aborted: true, status: undefined, faults: ['drop'] });
    expect(record?.body).toMatchObject({ workflowName: 'echo' });
  });

  test('after: the run exists, only the answer is lost', async () => {
    api.engine.faults.add({ kind: 'drop', stage: 'after', match: { operation: 'trigger' }, times: 1 });
    await expect(api.trigger('echo', {}, { tag: 'made' })).rejects.toThrow('fetch failed');
    await eventually('the run', async () => (await api.list('additional_metadata=tag:made')).rows.length === 1);
  });
});

describe('stall', () => {
  test('holds the answer until it is removed', async () => {
    const release = api.engine.faults.add({ kind: 'stall' });
    const answer = mark();
    expect(await Promise.race([answer, pause(40, 'silence')])).toBe('silence');
    expect(last()).toMatchObject({ endedAt: undefined, status: undefined });
    release();
    expect(await answer).toBe(200);
  });

  test('after: what was asked is done meanwhile', async () => {
    api.engine.faults.add({ kind: 'stall', stage: 'after', match: { operation: 'trigger' } });
    const answer = api.trigger('echo', {}, { tag: 'silent' });
    await eventually('the run', async () => (await api.list('additional_metadata=tag:silent')).rows.length === 1);
    api.engine.faults.clear();
    expect(await answer).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('ends with the engine, and with the client', async () => {
    api.engine.faults.add({ kind: 'stall' });
    const controller = new AbortController();
    const left = fetch(path, { signal: controller.signal });
    await eventually('it is there', () => last()?.endedAt === undefined);
    const record = last();
    controller.abort();
    await expect(left).rejects.toThrow('aborted');
    await eventually('it is noticed', () => record?.aborted === true);
    const answer = mark();
    await pause(10);
    await api.engine.close();
    expect(await answer).toBe('broken');
  });
});

describe('other kinds', () => {
  test('delay holds back, and adds to others', async () => {
    api.engine.faults.add({ kind: 'delay', ms: 30 });
    api.engine.faults.add({ kind: 'delay', ms: 30 });
    api.engine.faults.add({ kind: 'status', status: 500 });
    const begin = performance.now();
    expect(await mark()).toBe(500);
    expect(performance.now() - begin).toBeGreaterThanOrEqual(58);
    expect(last()?.faults).toEqual(['delay', 'delay', 'status']);
  });

  test('status can say when to come again, in seconds or as a date', async () => {
    const { faults } = api.engine;
    faults.add({ kind: 'status', status: 429, retryAfter: 7, body: { message: 'slow down' }, times: 1 });
    const first = await ask();
    expect([first.status, first.headers.get('retry-after')]).toEqual([429, '7']);
    expect(await first.json()).toEqual({ message: 'slow down' });
    const date = new Date('2030-01-01T00:00:00Z');
    faults.add({ kind: 'status', status: 503, retryAfter: date, headers: { 'x-mine': 'yes' }, body: 'plain' });
    const second = await ask();
    expect(second.headers.get('retry-after')).toBe('Tue, 01 Jan 2030 00:00:00 GMT');
    expect(second.headers.get('x-mine')).toBe('yes');
    expect(await second.text()).toBe('plain');
  });

  test('status after: it is done, and denied', async () => {
    api.engine.faults.add({ kind: 'status', status: 502, stage: 'after', match: { operation: 'trigger' } });
    await expect(api.trigger('echo', {}, { tag: 'denied' })).rejects.toThrow('502');
    await eventually('the run', async () => (await api.list('additional_metadata=tag:denied')).rows.length === 1);
  });

  test('cut ends the connection amid the body', async () => {
    api.engine.faults.add({ kind: 'cut', bytes: 5, times: 1 });
    const response = await ask();
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow('terminated');
    expect(await mark()).toBe(200);
  });

  test('truncate sends a whole answer with half a JSON', async () => {
    api.engine.faults.add({ kind: 'truncate', times: 1 });
    expect(await (await ask()).text()).toBe('"COMPL');
    api.engine.faults.add({ kind: 'truncate', bytes: 3 });
    expect(await (await ask()).text()).toBe('"CO');
  });

  test('malformed sends a page, or whatever it is given', async () => {
    api.engine.faults.add({ kind: 'malformed', times: 1 });
    const page = await ask();
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html']);
    expect(await page.text()).toContain('<html>');
    api.engine.faults.add({ kind: 'malformed', body: '{,}', contentType: 'application/json' });
    expect(await (await ask()).text()).toBe('{,}');
  });

  test('transform changes the answer', async () => {
    const spoil = (answer: Json): Json => {
      answer.rows[0].status = 'PONDERING';
      return { ...answer, extra: true };
    };
    api.engine.faults.add({ kind: 'transform', match: { operation: 'listRuns' }, transform: spoil });
    const { rows, extra } = await api.list('');
    expect([rows[0].status, extra]).toEqual(['PONDERING', true]);
    expect(await api.status(id)).toBe('COMPLETED');
  });
});
