import { createServer } from 'node:net';
import { startEngine } from 'hatchet-rx/testing';
import { describe, expect, test } from 'vitest';
import { createClock, formatDuration, formatGoDuration, formatMicros, parseMicros } from '../../src/testing/clock.ts';
import { createExecutor } from '../../src/testing/executor.ts';
import { resolveOptions } from '../../src/testing/options.ts';
import { createRandom } from '../../src/testing/random.ts';
import { createStore } from '../../src/testing/store.ts';
import type { StoreEvent } from '../../src/testing/store.ts';
import { createTimers } from '../../src/testing/timers.ts';
import { createWorkflow } from '../../src/testing/workflow.ts';
import { apiOf, echo, eventually, quickEngine, slow } from './helpers.ts';

describe('an engine', () => {
  test('starts in milliseconds, on 127.0.0.1', async () => {
    await (await startEngine()).close();
    const begin = performance.now();
    await using engine = await startEngine();
    expect(performance.now() - begin).toBeLessThan(250);
    expect(engine.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  test('has a token that names it', async () => {
    await using engine = await startEngine({ tenantId: '707d0855-80ab-4e1f-a156-f1c4546cbf52' });
    const parts = engine.token.split('.');
    expect(parts).toHaveLength(3);
    for (const part of parts) expect(part).toMatch(/^[\w-]+$/);
    const claims = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString());
    expect(claims).toMatchObject({
      sub: '707d0855-80ab-4e1f-a156-f1c4546cbf52',
      server_url: engine.url,
      grpc_broadcast_address: engine.grpcAddress,
    });
    expect(engine.tenantId).toBe(claims.sub);
  });

  test('takes the token and the port it is given, and says when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await expect(startEngine({ port })).rejects.toThrow('EADDRINUSE');
    await new Promise((resolve) => other.close(resolve));
    await using engine = await startEngine({ port, token: 'mine' });
    expect(engine.url).toBe(`http://127.0.0.1:${port}`);
    const { status } = await apiOf(engine).call('GET', '{T}/workflow-runs/external-ids');
    expect(status).toBe(200);
  });

  test('draws everything from its seed', async () => {
    const ids = async (seed: number): Promise<string[]> => {
      const { engine } = await quickEngine({ seed });
      engine.workflow('echo', echo);
      const seeded = engine.seedRuns({ count: 3, workflow: 'echo' });
      await engine.close();
      return [engine.tenantId, ...seeded];
    };
    expect(await ids(7)).toEqual(await ids(7));
    expect(await ids(7)).not.toEqual(await ids(8));
  });

  test('holds back every answer by latencyMs', async () => {
    const api = await quickEngine({ latencyMs: 40 });
    const begin = performance.now();
    await api.list('');
    expect(performance.now() - begin).toBeGreaterThanOrEqual(38);
    await api.engine.close();
  });

  test('closes with everything it has, twice if need be', async () => {
    const api = await quickEngine();
    const aborted: string[] = [];
    api.engine.workflow('listens', async (_, ctx) => {
      ctx.signal.addEventListener('abort', () => aborted.push(String(ctx.signal.reason)));
      await ctx.sleep(60_000);
    });
    const id = await api.trigger('listens');
    await api.until(id, 'RUNNING');
    await Promise.all([api.engine.close(), api.engine.close()]);
    expect(aborted).toEqual(['Error: the engine is closed']);
    await expect(api.list('')).rejects.toThrow('fetch failed');
    const left = process.getActiveResourcesInfo().filter((kind) => kind === 'TCPServerWrap');
    expect(left).toEqual([]);
  });
});

describe('requests', () => {
  test('are recorded with their time, status and operation', async () => {
    const api = await quickEngine();
    await api.list('limit=3');
    await api.call('GET', '/nope');
    const [list, nope] = api.engine.requests;
    expect(list).toMatchObject({ method: 'GET', operation: 'listRuns', status: 200, aborted: false, body: undefined });
    expect(list?.path).toBe(`/api/v1/stable/tenants/${api.engine.tenantId}/workflow-runs`);
    expect(list?.query.get('limit')).toBe('3');
    expect(list?.headers.authorization).toBe(`Bearer ${api.engine.token}`);
    expect(Math.abs((list?.startedAt ?? 0) - Date.now())).toBeLessThan(5000);
    await eventually('it ends', () => nope?.endedAt !== undefined);
    expect(list?.endedAt).toBeGreaterThanOrEqual(list?.startedAt ?? Number.NaN);
    expect(nope).toMatchObject({ operation: 'unknown', status: 403 });
    await api.engine.close();
  });

  test('are kept up to a number', async () => {
    const api = await quickEngine({ keepRequests: 10 });
    for (let index = 0; index < 50; index += 1) await api.call('GET', `/nope/${index}`);
    expect(api.engine.requests.length).toBeLessThanOrEqual(26);
    expect(api.engine.requests.at(-1)?.path).toBe('/api/v1/stable/nope/49');
    await api.engine.close();
  });
});

describe('seeded runs', () => {
  test('are of one single-task workflow that is known', async () => {
    await using engine = (await quickEngine()).engine;
    engine.dag('dag', { a: { run: echo } });
    expect(() => engine.seedRuns({ count: 1, workflow: 'nope' })).toThrow('no workflow is called nope');
    expect(() => engine.seedRuns({ count: 1, workflow: 'dag' })).toThrow('is a DAG');
  });

  test('are not run, but can be cancelled and replayed', async () => {
    const api = await quickEngine();
    api.engine.workflow('slow', slow);
    const [id = ''] = api.engine.seedRuns({ count: 1, workflow: 'slow', status: 'QUEUED', input: () => ({ ms: 1 }) });
    expect(await api.status(id)).toBe('QUEUED');
    await api.post('{T}/tasks/cancel', { externalIds: [id] });
    await api.until(id, 'CANCELLED');
    await api.post('{T}/tasks/replay', { externalIds: [id] });
    await api.until(id, 'COMPLETED');
    await api.engine.close();
  });
});

describe('the store', () => {
  test('tells its listeners of chunks with index and attempt, of events and of runs', async () => {
    const store = createStore();
    const clock = createClock();
    const random = createRandom(1);
    const timers = createTimers();
    const options = resolveOptions({ visibilityDelayMs: 0, statusLagMs: 0, scheduleDelayMs: 0, retryDelayMs: 1 });
    const executor = createExecutor({ store, clock, random, timers, options, workflows: new Map() });
    const workflow = createWorkflow(
      'stream',
      {
        stream: {
          retries: 1,
          run: async (_, ctx) => {
            await ctx.putStream('a');
            await ctx.putStream('b');
            if (ctx.retryCount === 0) throw new Error('once more');
          },
        },
      },
      { isDag: false },
      random,
      clock,
    );
    const events: StoreEvent[] = [];
    const stop = store.listen((event) => events.push(event));
    const run = executor.spawn({ workflow, input: {}, metadata: {}, priority: 1 });
    await eventually('it ends', () => run.reading.status === 'COMPLETED');
    stop();
    const chunks = events.flatMap((event) => (event.type === 'chunk' ? [event.chunk] : []));
    expect(chunks.map(({ index, retryCount, text }) => [index, retryCount, text])).toEqual([
      [0, 0, 'a'],
      [1, 0, 'b'],
      [0, 1, 'a'],
      [1, 1, 'b'],
    ]);
    expect(run.tasks[0]?.chunks).toEqual(chunks);
    const types = events.flatMap((event) => (event.type === 'task' ? [event.event.type] : []));
    expect(types.filter((type) => type === 'STARTED')).toHaveLength(2);
    expect(types.at(-1)).toBe('FINISHED');
    expect(events.some((event) => event.type === 'run')).toBe(true);
    timers.close();
  });
});

describe('times', () => {
  test('have up to six digits, zeros cut', () => {
    expect(formatMicros(0)).toBe('0001-01-01T00:00:00Z');
    expect(formatMicros(1_795_465_417_421_824)).toBe('2026-11-23T20:23:37.421824Z');
    expect(formatMicros(1_795_465_417_853_170)).toBe('2026-11-23T20:23:37.85317Z');
    expect(formatMicros(1_795_465_417_000_000)).toBe('2026-11-23T20:23:37Z');
    expect(parseMicros('2026-11-23T20:23:37.85317Z')).toBe(1_795_465_417_853_170);
    expect(parseMicros('2026-11-23T21:23:37.421824999+01:00')).toBe(1_795_465_417_421_824);
    expect(parseMicros('2026-11-23')).toBe(Date.UTC(2026, 10, 23) * 1000);
    for (const wrong of ['2026-11-23T00:00:00', '2026-02-30', 'yesterday', '2026-11-23T25:00:00Z', '']) {
      expect(parseMicros(wrong)).toBeUndefined();
    }
    const clock = createClock();
    const readings = Array.from({ length: 1000 }, () => clock.now());
    expect(new Set(readings).size).toBe(1000);
  });

  test('and lengths of time are written as Go does', () => {
    expect([1500, 2000, 60_000, 7_200_000].map(formatDuration)).toEqual(['1500ms', '2s', '1m', '2h']);
    expect([0.25, 1.5, 2.25, 60, 90].map(formatGoDuration)).toEqual(['250ms', '1.5s', '2.25s', '1m0s', '1m30s']);
  });
});
