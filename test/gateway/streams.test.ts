import { firstValueFrom, lastValueFrom, type Observable, take, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { RunEvent } from '../../src/index.ts';
import { all, errorWithTag, eventually, one, watch } from '../support/observe.ts';
import { chunksOf, framesOf, gapsOf, readerOf, talk } from './support/events.ts';
import { json, stand, TENANT } from './support/stand.ts';

const UNKNOWN_ID = '00000000-0000-4000-8000-000000000000';

const streamOf = (runId: string, query = '') => `${TENANT}/workflow-runs/${runId}/events${query}`;

const typesOf = (events: readonly RunEvent[]) =>
  events.map((event) => (event.type === 'task' ? event.event : event.type));

describe('the events of one run', () => {
  it('as frames of the wire format, under headers that proxies understand', async () => {
    await using gate = await stand();
    const { id } = await one(gate.client().runs.trigger('talk', { chunks: 2 }));
    const response = await gate.ask(streamOf(id));
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    const frames = framesOf(await response.text());
    expect(frames.map(({ event }) => event)).toEqual(['open', 'task', 'chunk', 'chunk', 'task', 'finished', 'end']);
    expect(JSON.parse(frames[0]?.data ?? '')).toEqual({ protocol: 1, heartbeatMs: 15_000, resumed: false });
    expect(frames.map(({ id: cursor }) => cursor !== undefined)).toEqual([false, true, true, true, true, true, false]);
    const { time, ...chunk } = JSON.parse(frames[2]?.data ?? '') as { time: string };
    expect(chunk).toEqual({ type: 'chunk', runId: id, taskRunId: id, retryCount: 0, index: 0, text: 'chunk 0' });
    expect(new Date(time).toISOString()).toBe(time);
    expect(JSON.parse(frames[5]?.data ?? '')).toMatchObject({
      type: 'finished',
      status: 'COMPLETED',
      tail: 'verified',
    });
    expect(frames[6]?.data).toBe('{"reason":"finished"}');
  });

  it('triggered through the gateway: from the first one, however late the reader', async () => {
    await using gate = await stand();
    const { runs } = gate.client();
    const ref = await one(runs.trigger('talk', { chunks: 20 }));
    await one(ref.result$);
    expect(gate.gateway.stats()).toMatchObject({ runs: 1, streams: 0 });
    const events = await all(runs.subscribeToStream(ref.id));
    expect(chunksOf(events)).toEqual(talk(20));
    expect(gapsOf(events)).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: 'finished', status: 'COMPLETED' });
  });

  it('by triggerAndStream, for chunks as fast as they come', async () => {
    await using gate = await stand();
    const { runs } = gate.client();
    const courses = Array.from({ length: 20 }, () => all(runs.triggerAndStream('talk', { chunks: 100 })));
    for (const events of await Promise.all(courses)) {
      expect(chunksOf(events)).toEqual(talk(100));
      expect(typesOf(events.filter(({ type }) => type !== 'chunk'))).toEqual(['started', 'completed', 'finished']);
    }
    expect(gate.gateway.stats()).toMatchObject({ streams: 0, upstreams: 0, principals: 0 });
  });

  it('of a run that failed, was cancelled, or has several steps', async () => {
    await using gate = await stand();
    const { runs } = gate.client();
    const failed = await all(runs.triggerAndStream('fail', {}));
    expect(typesOf(failed)).toEqual(['started', 'failed', 'finished']);
    expect(failed.at(-1)).toMatchObject({ status: 'FAILED' });

    const ref = await one(runs.trigger('wait', {}));
    const cancelled = all(runs.subscribeToStream(ref.id));
    await one(ref.cancel());
    expect((await cancelled).at(-1)).toMatchObject({ type: 'finished', status: 'CANCELLED' });

    const steps = await all(runs.triggerAndStream('steps', {}));
    expect(chunksOf(steps)).toEqual(['first', 'second']);
    expect(new Set(steps.flatMap((event) => ('taskRunId' in event ? [event.taskRunId] : []))).size).toBe(2);
  });

  it('after a replay: the new attempt, and the new end', async () => {
    await using gate = await stand();
    const { runs } = gate.client();
    const first = await all(runs.triggerAndStream('again', {}));
    const runId = first[0]?.runId ?? '';
    expect(chunksOf(first)).toEqual(['attempt 0']);
    await one(runs.replay(runId));
    await one(runs.getRunRef(runId).result$);
    const second = await all(runs.subscribeToStream(runId));
    expect(chunksOf(second)).toContain('attempt 1');
    expect(second.filter(({ type }) => type === 'finished')).toHaveLength(1);
    expect(second.at(-1)?.type).toBe('finished');
  });

  it('after a replay that went round the gateway', async () => {
    await using gate = await stand();
    const { runs } = gate.client();
    const first = await all(runs.triggerAndStream('again', {}));
    const runId = first[0]?.runId ?? '';
    await one(gate.owner.runs.replay(runId));
    await one(runs.getRunRef(runId).result$);
    const second = await all(runs.subscribeToStream(runId));
    expect(chunksOf(second)).toContain('attempt 1');
  });

  it('for a plain EventSource: resumed by header or by query', async () => {
    await using gate = await stand();
    const { id } = await one(gate.client().runs.trigger('talk', { chunks: 3 }));
    const frames = framesOf(await (await gate.ask(streamOf(id))).text());
    for (const [place, { id: cursor = '' }] of frames.entries()) {
      if (cursor === '') continue;
      const byHeader = await gate.ask(streamOf(id), { headers: { 'last-event-id': cursor } });
      const byQuery = await gate.ask(streamOf(id, `?lastEventId=${cursor}`));
      for (const response of [byHeader, byQuery]) {
        const [open, ...rest] = framesOf(await response.text());
        expect(JSON.parse(open?.data ?? '')).toMatchObject({ resumed: true });
        expect(rest).toEqual(frames.slice(place + 1));
      }
    }
  });

  it('whose beginning is not held: a gap comes first', async () => {
    await using gate = await stand({ buffer: { events: 5 } });
    const { runs } = gate.client();
    const ref = await one(runs.trigger('talk', { chunks: 20 }));
    await one(ref.result$);
    await eventually(() => gate.gateway.stats().endedRuns === 1);
    const events = await all(runs.subscribeToStream(ref.id));
    expect(typesOf(events)).toEqual(['gap', 'chunk', 'chunk', 'chunk', 'completed', 'finished']);
  });

  it('whose resume point is not held: the client is told, and makes a gap of it', async () => {
    await using gate = await stand();
    const { runs } = gate.client();
    const ref = await one(runs.trigger('talk', { chunks: 2 }));
    const events = await all(runs.subscribeToStream(ref.id, { lastEventId: 'of-another-gateway' }));
    expect(gapsOf(events)).toHaveLength(1);
    expect(chunksOf(events)).toEqual(talk(2));
  });
});

describe('the events of several runs', () => {
  it('on one connection, which ends with the last of them', async () => {
    await using gate = await stand();
    const { runs } = gate.client();
    const refs = await all(runs.trigger('talk', { chunks: 3 }));
    const slow = await one(runs.trigger('talk', { chunks: 3, everyMs: 20 }));
    const ids = [...refs, slow].map(({ id }) => id);
    const response = await gate.ask(`${TENANT}/workflow-runs/events?${ids.map((id) => `id=${id}`).join('&')}`);
    const frames = framesOf(await response.text());
    expect(frames.at(-1)?.event).toBe('end');
    const events = frames.flatMap(({ id, data }) => (id === undefined ? [] : [JSON.parse(data ?? '') as RunEvent]));
    for (const id of ids) {
      const own = events.filter(({ runId }) => runId === id);
      expect(chunksOf(own)).toEqual(talk(3));
      expect(own.at(-1)?.type).toBe('finished');
    }
  });

  it('resumed in the middle, each run goes on where it was', async () => {
    await using gate = await stand();
    const { runs } = gate.client();
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) ids.push((await one(runs.trigger('talk', { chunks: 5, everyMs: 3 }))).id);
    const path = `${TENANT}/workflow-runs/events?${ids.map((id) => `id=${id}`).join('&')}`;
    const frames = framesOf(await (await gate.ask(path)).text()).slice(1, -1);
    for (const [place, { id = '' }] of frames.entries()) {
      const resumed = framesOf(await (await gate.ask(path, { headers: { 'last-event-id': id } })).text());
      expect(resumed.slice(1, -1)).toEqual(frames.slice(place + 1));
    }
  });

  it('needs some ids, well-formed and not too many', async () => {
    await using gate = await stand({ limits: { runsPerStream: 2 } });
    const status = async (query: string) => (await gate.ask(`${TENANT}/workflow-runs/events${query}`)).status;
    expect(await status('')).toBe(400);
    expect(await status('?id=nonsense')).toBe(400);
    expect(await status(`?id=${UNKNOWN_ID}`)).toBe(404);
    const ids = Array.from({ length: 3 }, () => `id=${crypto.randomUUID()}`).join('&');
    expect(await status(`?${ids}`)).toBe(400);
  });
});

describe('what cannot be streamed', () => {
  it('is a JSON error, and a typed one for clients', async () => {
    await using gate = await stand();
    const missing = await gate.ask(streamOf(UNKNOWN_ID));
    expect([missing.status, await missing.json()]).toEqual([404, { message: 'not found' }]);
    const malformed = await gate.ask(streamOf('nonsense'));
    expect([malformed.status, await malformed.json()]).toEqual([400, { message: 'invalid workflow run id' }]);
    const { runs } = gate.client();
    await errorWithTag('RunNotFoundError', runs.subscribeToStream(UNKNOWN_ID));
  });

  it('in another tenant is refused', async () => {
    await using gate = await stand();
    const path = (tenant: string) => `/api/v1/stable/tenants/${tenant}/workflow-runs/${UNKNOWN_ID}/events`;
    expect((await gate.ask(path(crypto.randomUUID()))).status).toBe(403);
    expect((await gate.ask(path('nonsense'))).status).toBe(400);
    expect((await gate.ask(path(gate.engine.tenantId))).status).toBe(404);
  });

  it('too many streams of one principal are 429, of all together 503, and their end makes room', async () => {
    await using gate = await stand({ limits: { streamsPerPrincipal: 2, streams: 3 } });
    const { id } = await one(gate.client().runs.trigger('wait', {}));
    const open = (token: string) => gate.ask(streamOf(id), { headers: { authorization: `Bearer ${token}` } });
    const [first, second] = await Promise.all([open('a'), open('a')]);
    expect([first.status, second.status]).toEqual([200, 200]);
    const third = await open('a');
    expect([third.status, third.headers.get('retry-after')]).toEqual([429, '5']);
    expect((await open('b')).status).toBe(200);
    expect((await open('c')).status).toBe(503);
    expect(gate.gateway.stats()).toMatchObject({ streams: 3, principals: 2, upstreams: 1 });
    await first.body?.cancel();
    expect(gate.gateway.stats()).toMatchObject({ streams: 2 });
    expect((await open('a')).status).toBe(200);
  });
});

describe('a reader that leaves', () => {
  it('leaves nothing open', async () => {
    await using gate = await stand();
    const { runs } = gate.client();
    const ref = await one(runs.trigger('talk', { chunks: 1_000, everyMs: 5 }));
    const course = watch(runs.subscribeToStream(ref.id));
    await eventually(() => course.values.length > 3);
    expect(gate.gateway.stats().streams).toBe(1);
    course.stop();
    await eventually(() => gate.gateway.stats().streams === 0);
    expect(gate.gateway.stats()).toMatchObject({ principals: 0, upstreams: 1 });
    expect(gate.errors).toEqual([]);
  });

  it('before the answer, too', async () => {
    await using gate = await stand({ engine: { latencyMs: 100 } });
    const { id } = await one(gate.owner.runs.trigger('wait', {}));
    const abort = new AbortController();
    const answer = gate.ask(streamOf(id), { signal: abort.signal });
    abort.abort();
    await answer;
    expect(gate.gateway.stats()).toMatchObject({ streams: 0, upstreams: 0 });
  });
});

describe('an engine', () => {
  const first = (source: Observable<RunEvent>, count: number) => lastValueFrom(source.pipe(take(count), toArray()));

  it('serves the same streams by itself', async () => {
    await using gate = await stand();
    const { runs } = gate.owner;
    const events = await all(runs.triggerAndStream('talk', { chunks: 50 }));
    expect(chunksOf(events)).toEqual(talk(50));
    expect(events.at(-1)).toMatchObject({ type: 'finished', status: 'COMPLETED', tail: 'verified' });
    const again = await all(runs.subscribeToStream(events[0]?.runId ?? ''));
    expect(again).toEqual(events);
    expect(gapsOf(again)).toEqual([]);
    const [third] = await first(runs.subscribeToStream(again[0]?.runId ?? '', { lastEventId: again[2]?.id ?? '' }), 1);
    expect(third).toEqual(again[3]);
  });

  it('answers 404, 403 and 400 where a gateway would', async () => {
    await using gate = await stand();
    const { engine } = gate;
    const ask = async (path: string, token: string) => {
      const response = await fetch(engine.url + path, { headers: { authorization: `Bearer ${token}` } });
      return [response.status, await response.json()];
    };
    const tenant = `/api/v1/stable/tenants/${engine.tenantId}`;
    const { id } = await one(gate.owner.runs.trigger('wait', {}));
    expect(await ask(`${tenant}/workflow-runs/${UNKNOWN_ID}/events`, engine.token)).toEqual([
      404,
      { message: 'not found' },
    ]);
    expect(await ask(`${tenant}/workflow-runs/${id}/events`, 'wrong')).toMatchObject([403, {}]);
    expect(await ask(`${tenant}/workflow-runs/nonsense/events`, engine.token)).toMatchObject([400, {}]);
    expect(await ask(`${tenant}/workflow-runs/events`, engine.token)).toMatchObject([400, {}]);
    expect(await ask(`${tenant}/workflow-runs/events?id=${id}&id=${UNKNOWN_ID}`, engine.token)).toMatchObject([
      404,
      {},
    ]);
  });

  it('streams several runs, and cuts what a fault says', async () => {
    await using gate = await stand();
    const { engine } = gate;
    const one_ = await firstValueFrom(gate.owner.runs.trigger('talk', {}));
    const two = await firstValueFrom(gate.owner.runs.trigger('talk', {}));
    const url = `${engine.url}/api/v1/stable/tenants/default/workflow-runs/events?id=${one_.id}&id=${two.id}`;
    const headers = { authorization: `Bearer ${engine.token}` };
    const whole = await (await fetch(url, { headers })).text();
    expect(framesOf(whole).filter(({ event }) => event === 'finished')).toHaveLength(2);
    expect(framesOf(whole).at(-1)?.event).toBe('end');
    engine.faults.add({ kind: 'cut', bytes: 300, times: 1, match: { operation: 'subscribeToStream' } });
    const broken = readerOf(await fetch(url, { headers }));
    await expect(broken.rest()).rejects.toThrow(/terminated/);
    expect(broken.text).toBe(whole.slice(0, 300));
    engine.faults.add({ kind: 'cut', bytes: 700, times: 3, match: { operation: 'subscribeToStream' } });
    const events = await all(gate.owner.runs.subscribeToStream(one_.id));
    expect(chunksOf(events)).toEqual(talk(3));
    expect(gapsOf(events)).toEqual([]);
  });
});

describe('a trigger', () => {
  it('works where run events cannot be had', async () => {
    await using gate = await stand();
    gate.engine.faults.add({ kind: 'status', status: 503, match: { operation: 'subscribeToStream' } });
    const { runs } = gate.client();
    const ref = await one(runs.trigger('quick', { n: 1 }));
    expect(await one(ref.result$)).toEqual({ ok: true, n: 1 });
  });

  it('is sent once, also when it fails', async () => {
    await using gate = await stand();
    gate.engine.faults.add({ kind: 'status', status: 500, match: { operation: 'trigger' }, stage: 'after' });
    await errorWithTag('AmbiguousTriggerError', gate.client().runs.trigger('quick', {}));
    expect(gate.engine.requests.filter(({ operation }) => operation === 'trigger')).toHaveLength(1);
    expect(gate.gateway.stats()).toMatchObject({ runs: 0, upstreams: 0 });
  });

  it('waits for the run where it is asked to', async () => {
    await using gate = await stand({ engine: { blockingPollMs: 20 } });
    const response = await gate.ask(
      `${TENANT}/workflow-runs/trigger`,
      json({ workflowName: 'talk', input: { chunks: 2 } }),
    );
    const { run } = (await response.json()) as { run: { metadata: { id: string }; status: string } };
    expect(run.status).not.toBe('');
    const events = await all(gate.client().runs.subscribeToStream(run.metadata.id));
    expect(chunksOf(events)).toEqual(talk(2));
  });
});
