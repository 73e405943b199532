import { concat, lastValueFrom, NEVER, Observable, of, Subject, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createHatchet,
  type HatchetOptions,
  type HttpRequest,
  type HttpStreamPart,
  type HttpTransport,
  type RunEvent,
} from 'hatchet-rx';

const RUN = '3f0c1b52-0000-4000-8000-000000000001';

const bytes = (text: string): HttpStreamPart => ({ type: 'data', bytes: new TextEncoder().encode(text) });
const head = (
  status = 200,
  headers: Record<string, string> = { 'content-type': 'text/event-stream' },
): HttpStreamPart => ({
  type: 'head',
  status,
  headers,
});
const open = (resumed = false, heartbeatMs = 1_000) =>
  bytes(`event: open\ndata: {"protocol":1,"heartbeatMs":${heartbeatMs},"resumed":${resumed}}\n\n`);
const chunk = (index: number) =>
  bytes(
    `id: c${index}\nevent: chunk\ndata: ${JSON.stringify({
      type: 'chunk',
      runId: RUN,
      taskRunId: RUN,
      retryCount: 0,
      index,
      text: `t${index}`,
      time: '2026-01-01T00:00:00.000Z',
    })}\n\n`,
  );
const finished = bytes(
  `id: f\nevent: finished\ndata: ${JSON.stringify({
    type: 'finished',
    runId: RUN,
    status: 'COMPLETED',
    tail: 'verified',
    time: '2026-01-01T00:00:00.000Z',
  })}\n\n`,
);
const end = bytes('event: end\ndata: {"reason":"finished"}\n\n');

/** A server that gives one scripted answer per connection, and the last one again and again. */
function scripted(...answers: Observable<HttpStreamPart>[]) {
  const requests: HttpRequest[] = [];
  let openNow = 0;
  const transport: HttpTransport = {
    request: () => NEVER,
    stream: (request) =>
      new Observable((subscriber) => {
        requests.push(request);
        openNow += 1;
        const answer = answers[Math.min(requests.length, answers.length) - 1] ?? NEVER;
        const subscription = answer.subscribe(subscriber);
        return () => {
          openNow -= 1;
          subscription.unsubscribe();
        };
      }),
    close: () => Promise.resolve(),
  };
  return { requests, transport, openConnections: () => openNow };
}

const connect = (transport: HttpTransport, options: HatchetOptions = {}) =>
  createHatchet({
    token: 'a-token-of-some-length',
    serverUrl: 'http://gateway.test',
    transport,
    retry: { baseDelayMs: 10, maxDelayMs: 20 },
    ...options,
  });

const texts = (events: readonly RunEvent[]): string[] => events.map((e) => (e.type === 'chunk' ? e.text : e.type));

async function collect(transport: HttpTransport, options?: HatchetOptions): Promise<readonly RunEvent[]> {
  const all = lastValueFrom(connect(transport, options).runs.subscribeToStream(RUN).pipe(toArray()));
  all.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(200_000);
  return all;
}

describe('subscribeToStream by SSE', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('emits the events and completes at the end message', async () => {
    const { transport, requests, openConnections } = scripted(
      concat(of(head(), open(), chunk(0), chunk(1), finished, end), NEVER),
    );
    const events = await collect(transport);
    expect(texts(events)).toEqual(['t0', 't1', 'finished']);
    expect(events[0]).toMatchObject({ id: 'c0', index: 0, time: new Date('2026-01-01T00:00:00Z') });
    expect(requests[0]?.headers).toMatchObject({
      accept: 'text/event-stream',
      authorization: 'Bearer a-token-of-some-length',
    });
    expect(openConnections()).toBe(0);
  });

  it('resumes after a connection that just ends, and drops what comes twice', async () => {
    const { transport, requests } = scripted(
      of(head(), open(), chunk(0), chunk(1)),
      of(head(), open(true), chunk(1), chunk(2), finished, end),
    );
    expect(texts(await collect(transport))).toEqual(['t0', 't1', 't2', 'finished']);
    expect(requests.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, 'c1']);
  });

  it('says with a gap that the server no longer held the resume point', async () => {
    const { transport } = scripted(of(head(), open(), chunk(0)), of(head(), open(false), chunk(5), finished, end));
    expect(texts(await collect(transport))).toEqual(['t0', 'gap', 't5', 'finished']);
  });

  it('takes silence for two heartbeats as a broken connection, and comments as signs of life', async () => {
    const beats = new Subject<HttpStreamPart>();
    const { transport, requests } = scripted(beats, of(head(), open(true), chunk(1), finished, end));
    const seen: RunEvent[] = [];
    connect(transport)
      .runs.subscribeToStream(RUN)
      .subscribe((event) => seen.push(event));
    await vi.advanceTimersByTimeAsync(0);
    for (const part of [head(), open(), chunk(0)]) beats.next(part);
    for (let beat = 0; beat < 5; beat += 1) {
      await vi.advanceTimersByTimeAsync(1_900);
      beats.next(bytes(': still here\n\n'));
    }
    expect(requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2_100);
    expect(requests).toHaveLength(2);
    expect(texts(seen)).toEqual(['t0', 't1', 'finished']);
  });

  it('waits at least as long as the server wishes before it comes back', async () => {
    const { transport, requests } = scripted(
      of(head(), bytes('retry: 5000\n\n'), open(), chunk(0)),
      of(head(), open(true), finished, end),
    );
    connect(transport).runs.subscribeToStream(RUN).subscribe();
    await vi.advanceTimersByTimeAsync(4_900);
    expect(requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(200);
    expect(requests).toHaveLength(2);
  });

  it('keeps Retry-After of a 429 and of a 503', async () => {
    const busy = (status: number) => of(head(status, { 'retry-after': '3' }), bytes('{"message":"busy"}'));
    const { transport, requests } = scripted(busy(429), busy(503), of(head(), open(), finished, end));
    connect(transport).runs.subscribeToStream(RUN).subscribe();
    await vi.advanceTimersByTimeAsync(2_900);
    expect(requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(requests).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(requests).toHaveLength(3);
  });

  it.each([
    [403, '{"message":"no"}', 'AuthenticationError'],
    [401, '{"message":"no"}', 'AuthenticationError'],
    [400, '{"errors":[{"description":"bad id"}]}', 'HttpStatusError'],
  ])('takes a %i as final', async (status, body, tag) => {
    const { transport, requests } = scripted(of(head(status, {}), bytes(body)));
    await expect(collect(transport)).rejects.toMatchObject({ _tag: tag, runId: RUN });
    expect(requests).toHaveLength(1);
  });

  it('asks a token function once more when the token is refused, and goes on', async () => {
    const { transport, requests } = scripted(
      of(head(403, {}), bytes('{"message":"no"}')),
      of(head(), open(), finished, end),
    );
    let asked = 0;
    const token = () => `token-number-${(asked += 1)}`;
    expect(texts(await collect(transport, { token }))).toEqual(['finished']);
    expect(requests.map(({ headers }) => headers['authorization'])).toEqual([
      'Bearer token-number-1',
      'Bearer token-number-2',
    ]);
  });

  it('gives up with a StreamInterruptedError when nothing has come for a minute', async () => {
    const broken = new Observable<HttpStreamPart>((subscriber) => subscriber.error(new Error('ECONNRESET')));
    const { transport, requests } = scripted(of(head(), open(), chunk(0)), broken);
    await expect(collect(transport)).rejects.toMatchObject({
      _tag: 'StreamInterruptedError',
      lastEventId: 'c0',
      seen: 1,
    });
    expect(requests.length).toBeGreaterThan(100);
  });

  it('lets an event of a newer gateway pass, and says so when one cannot be read', async () => {
    const { transport } = scripted(
      of(
        head(),
        open(),
        bytes('id: n\nevent: progress\ndata: {"type":"progress"}\n\n'),
        bytes('id: b\nevent: chunk\ndata: {"type":"chunk"}\n\n'),
        finished,
        end,
      ),
    );
    expect(texts(await collect(transport))).toEqual(['gap', 'finished']);
  });

  it('closes the connection when unsubscribed', async () => {
    const { transport, openConnections } = scripted(concat(of(head(), open(), chunk(0)), NEVER));
    const subscription = connect(transport).runs.subscribeToStream(RUN).subscribe();
    await vi.advanceTimersByTimeAsync(0);
    expect(openConnections()).toBe(1);
    subscription.unsubscribe();
    expect(openConnections()).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});
