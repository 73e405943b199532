import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { createHatchet, type HatchetOptions } from '../../src/index.ts';
import { createGateway, toNodeHandler } from '../../src/gateway/index.ts';
import { all, eventually, one, watch } from '../support/observe.ts';
import { cuttingProxy } from './support/cutting-proxy.ts';
import { chunksOf, framesOf, gapsOf, readerOf, talk } from './support/events.ts';
import { serve, stand, TENANT } from './support/stand.ts';

const AT_ONCE: HatchetOptions = { token: 'a-token', retry: { baseDelayMs: 1, maxDelayMs: 2 } };

/** How many offsets are tried side by side. */
const LANES = 8;

describe('connections that break', () => {
  it('at every byte of a stream: all events once, and no gap', async () => {
    await using gate = await stand();
    const ref = await one(gate.client().runs.trigger('talk', { chunks: 2 }));
    await one(ref.result$);
    const whole = await all(gate.client().runs.subscribeToStream(ref.id));
    expect(chunksOf(whole)).toEqual(talk(2));
    const plain = await (await gate.ask(`${TENANT}/workflow-runs/${ref.id}/events`)).text();
    // With room for the answer's head and the framing of its chunks.
    const length = plain.length + 600;
    let tried = 0;
    await Promise.all(
      Array.from({ length: LANES }, async (_, lane) => {
        await using proxy = await cuttingProxy(gate.port);
        await using hatchet = createHatchet({ ...AT_ONCE, serverUrl: proxy.url });
        for (let offset = lane; offset < length; offset += LANES) {
          proxy.cutAfter(offset);
          expect(await all(hatchet.runs.subscribeToStream(ref.id)), `cut after ${offset} bytes`).toEqual(whole);
          tried += 1;
        }
      }),
    );
    expect(tried).toBe(length);
  });

  it('again and again, after some hundred bytes each, while the run goes on', async () => {
    await using gate = await stand();
    await using proxy = await cuttingProxy(gate.port, 1_500);
    await using hatchet = createHatchet({ ...AT_ONCE, serverUrl: proxy.url });
    const ref = await one(gate.client().runs.trigger('talk', { chunks: 100, everyMs: 1 }));
    const events = await all(hatchet.runs.subscribeToStream(ref.id));
    expect(chunksOf(events)).toEqual(talk(100));
    expect(gapsOf(events)).toEqual([]);
    expect(proxy.connections).toBeGreaterThan(5);
  });
});

describe('a gateway that goes away', () => {
  /** Two gateways of one engine, of which the second takes over the address of the first. */
  async function pair() {
    const gate = await stand();
    const second = createGateway({ hatchet: gate.owner, authorize: () => true });
    let current = gate.gateway;
    const front = await serve((request, response) => toNodeHandler(current)(request, response));
    return {
      gate,
      front,
      second,
      async swap() {
        current = second;
        await gate.gateway.close();
      },
      async [Symbol.asyncDispose]() {
        await front.close();
        await second.close();
        await gate.close();
      },
    };
  }

  it('in mid-stream: the client goes on elsewhere, and says that it does not know what it missed', async () => {
    await using both = await pair();
    await using hatchet = createHatchet({ ...AT_ONCE, serverUrl: both.front.url });
    const ref = await one(hatchet.runs.trigger('talk', { chunks: 60, everyMs: 5 }));
    const course = watch(hatchet.runs.subscribeToStream(ref.id));
    await eventually(() => chunksOf(course.values).length > 10);
    await both.swap();
    await course.end;
    expect(course.error).toBeUndefined();
    expect(gapsOf(course.values)).toHaveLength(1);
    // Nothing is lost here: the engine's events can be had from the first one on.
    expect(new Set(chunksOf(course.values))).toEqual(new Set(talk(60)));
    expect(course.values.at(-1)?.type).toBe('finished');
    expect(both.second.stats()).toMatchObject({ streams: 0, endedRuns: 1 });
  });

  it('before the first event: nothing is missing, and no gap', async () => {
    await using both = await pair();
    await using hatchet = createHatchet({ ...AT_ONCE, serverUrl: both.front.url });
    both.gate.engine.workflow('later', async (_, ctx) => {
      await ctx.sleep(1);
      await ctx.putStream('chunk 0');
      return {};
    });
    const [id = ''] = both.gate.engine.seedRuns({ count: 1, workflow: 'later', status: 'QUEUED' });
    const course = watch(hatchet.runs.subscribeToStream(id));
    await eventually(() => both.gate.gateway.stats().streams === 1);
    await both.swap();
    await eventually(() => both.second.stats().streams === 1);
    await one(both.gate.owner.runs.replay(id));
    await course.end;
    expect(chunksOf(course.values)).toEqual(['chunk 0']);
    expect(gapsOf(course.values)).toEqual([]);
  });

  it('ends its streams without an end, and refuses what comes later', async () => {
    await using gate = await stand();
    const { id } = await one(gate.client().runs.trigger('wait', {}));
    const path = `${TENANT}/workflow-runs/${id}/events`;
    const body = readerOf(await gate.ask(path));
    await body.until('started');
    await gate.gateway.close();
    const frames = framesOf(await body.rest());
    expect(frames.at(-1)?.event).toBe('task');
    const later = await gate.ask(path);
    expect([later.status, later.headers.get('retry-after')]).toEqual([503, '1']);
    expect(gate.gateway.stats()).toMatchObject({ streams: 0, upstreams: 0, runs: 0, bytes: 0 });
    // The client is its owner's.
    expect(await one(gate.owner.runs.getStatus(id))).toBe('RUNNING');
  });
});

describe('a slow reader', () => {
  it('is cut off, costs nobody else anything, and resumes where it was', async () => {
    await using gate = await stand({ limits: { behindEvents: 20 } });
    const { id } = await one(gate.client().runs.trigger('talk', { chunks: 200, everyMs: 1 }));
    const path = `${TENANT}/workflow-runs/${id}/events`;
    const quick = all(gate.client().runs.subscribeToStream(id));
    // Takes a piece now and then, so that it has caught up, and then no more.
    const slow = readerOf(await gate.ask(path));
    await slow.until('"index":3');
    await eventually(() => gate.gateway.stats().cutOff === 1);
    await expect(slow.rest()).rejects.toThrow(/too slow/);
    expect(chunksOf(await quick)).toEqual(talk(200));
    const last = framesOf(slow.text).findLast((frame) => frame.id !== undefined);
    const resumed = await (await gate.ask(path, { headers: { 'last-event-id': last?.id ?? '' } })).text();
    const texts = [...(slow.text + resumed).matchAll(/"text":"(chunk \d+)"/g)].map(([, text]) => text);
    expect(texts).toEqual(talk(200));
    expect(resumed).toContain('"resumed":true');
  });

  it('over TCP: what it does not take is not kept for it', async () => {
    const memory = { buffer: { bytes: 64 * 1_048_576, events: 100_000 } };
    await using gate = await stand({ limits: { behindEvents: 100_000, behindBytes: 64 * 1_048_576 }, ...memory });
    const answers: ServerResponse[] = [];
    await using front = await serve((request, response) => {
      answers.push(response);
      toNodeHandler(gate.gateway)(request, response);
    });
    const ref = await one(gate.client().runs.trigger('talk', { chunks: 3_000, length: 10_000 }));
    const stopped = readerOf(await fetch(`${front.url}${TENANT}/workflow-runs/${ref.id}/events`));
    await one(ref.result$);
    await eventually(() => gate.gateway.stats().endedRuns === 1);
    // 30 MB do not fit into the sockets: the rest is held once, in the ring.
    expect(answers[0]?.writableNeedDrain).toBe(true);
    expect(answers[0]?.writableLength).toBeLessThan(1_000_000);
    const frames = framesOf(await stopped.rest());
    expect(frames.filter(({ event }) => event === 'chunk')).toHaveLength(3_000);
    expect(frames.at(-1)?.event).toBe('end');
  });
});

describe('many readers', () => {
  it('1,000 of one run: one subscription, everything to each', async () => {
    await using gate = await stand();
    const { id } = await one(gate.owner.runs.trigger('talk', { chunks: 20, everyMs: 10 }));
    const before = gate.engine.requests.length;
    const path = `${TENANT}/workflow-runs/${id}/events`;
    const texts = await Promise.all(Array.from({ length: 1_000 }, async () => (await gate.ask(path)).text()));
    expect(new Set(texts).size).toBe(1);
    expect(framesOf(texts[0] ?? '').filter(({ event }) => event === 'chunk')).toHaveLength(20);
    const streams = gate.engine.requests.slice(before).filter(({ operation }) => operation === 'subscribeToStream');
    expect(streams).toHaveLength(1);
    expect(gate.gateway.stats()).toMatchObject({ streams: 0, upstreams: 0, runs: 1, requests: 1_000 });
  });

  it('200 over HTTP', async () => {
    await using gate = await stand();
    const { runs } = gate.client();
    const { id } = await one(gate.owner.runs.trigger('talk', { chunks: 20, everyMs: 20 }));
    const courses = await Promise.all(Array.from({ length: 200 }, () => all(runs.subscribeToStream(id))));
    for (const events of courses) {
      expect(chunksOf(events)).toEqual(talk(20));
      expect(gapsOf(events)).toEqual([]);
    }
    await eventually(() => gate.gateway.stats().streams === 0);
  });
});
