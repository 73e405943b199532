import * as fc from 'fast-check';
import { lastValueFrom, map, NEVER, Observable, of, timer, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HatchetError } from '../../src/error/errors.ts';
import { cancelRuns, replayRuns, runDetails, runStatus, trigger } from '../../src/http/endpoints.ts';
import { errorOf } from './support/caught.ts';
import { asking, exchanging, TOKEN } from './support/exchanging.ts';
import { type FakeTransport, fakeTransport, json, scripted } from './support/fake-transport.ts';
import { RUN, TENANT } from './support/jwt.ts';

const status = runStatus('runs.getStatus', RUN);
const cancel = cancelRuns('runs.cancel', [RUN]);
const start = trigger('runs.trigger', { workflowName: 'w', input: {}, additionalMetadata: {} });
const replay = replayRuns('runs.replay', [RUN]);
const REFUSED = json({ message: 'Please provide valid credentials' }, 403);
const reset = () => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });

/** Runs a stream to its end in virtual time. */
async function settled<A>(source: Observable<A>): Promise<{ values: A[]; error: HatchetError | undefined }> {
  const values: A[] = [];
  let error: HatchetError | undefined;
  source.subscribe({
    next: (value) => values.push(value),
    error: (cause: HatchetError) => {
      error = cause;
    },
  });
  await vi.runAllTimersAsync();
  return { values, error };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  if (vi.getTimerCount() !== 0) throw new Error(`${vi.getTimerCount()} timers are left`);
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe('a request', () => {
  it('is not sent before subscribe, and once for each subscription', async () => {
    const transport = scripted(json('RUNNING'));
    const source = exchanging(transport)(status);
    expect(transport.requests).toHaveLength(0);
    await settled(source);
    await settled(source);
    expect(transport.requests).toHaveLength(2);
  });

  it('has path, token and, with a body, the content type', async () => {
    const transport = scripted(json({ ids: [RUN] }));
    await settled(exchanging(transport)(cancel));
    expect(transport.requests).toEqual([
      {
        method: 'POST',
        origin: 'http://server',
        path: `/api/v1/stable/tenants/${TENANT}/tasks/cancel`,
        headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        body: JSON.stringify({ externalIds: [RUN] }),
      },
    ]);
  });

  it('a read has no content type and no body', async () => {
    const transport = scripted(json('RUNNING'));
    await settled(exchanging(transport)(status));
    expect(transport.requests[0]).toMatchObject({ method: 'GET', body: undefined });
    expect(Object.keys(transport.requests[0]?.headers ?? {})).toEqual(['authorization']);
  });

  it('extra headers go along, in lower case; they do not replace the token', async () => {
    const transport = scripted(json('RUNNING'));
    await settled(exchanging(transport, { headers: { 'X-Trace': '1', Authorization: 'Basic x' } })(status));
    expect(transport.requests[0]?.headers).toEqual({ 'x-trace': '1', authorization: `Bearer ${TOKEN}` });
  });

  it('a function of headers is asked for each attempt', async () => {
    const transport = scripted({ status: 503 }, json('RUNNING'));
    let asked = 0;
    const headers = () => Promise.resolve({ 'x-count': String((asked += 1)) });
    await settled(exchanging(transport, { headers })(status));
    expect(transport.requests.map((request) => request.headers['x-count'])).toEqual(['1', '2']);
  });

  it('unsubscribing aborts it, tells nothing and leaves no timer', () => {
    const transport = scripted(NEVER);
    const told = vi.fn<() => void>();
    const subscription = exchanging(transport)(status).subscribe({ next: told, error: told, complete: told });
    expect(transport.underWay()).toBe(1);
    subscription.unsubscribe();
    expect(transport.underWay()).toBe(0);
    expect(told).not.toHaveBeenCalled();
  });
});

describe('repeating', () => {
  const passing = [
    ['a connection error', reset()],
    ['408', { status: 408 }],
    ['429', { status: 429 }],
    ['500', { status: 500 }],
    ['502', { status: 502, body: '<html>Bad Gateway</html>' }],
    ['503', { status: 503 }],
    ['504', { status: 504 }],
  ] as const;

  it.for(passing)('a read and a cancel are sent again after %s', async ([, answer]) => {
    const reads = scripted(answer, answer, json('RUNNING'));
    await expect(settled(exchanging(reads)(status))).resolves.toEqual({ values: ['RUNNING'], error: undefined });
    expect(reads.requests).toHaveLength(3);
    const cancels = scripted(answer, json({ ids: [RUN] }));
    await expect(settled(exchanging(cancels)(cancel))).resolves.toMatchObject({ values: [[RUN]] });
    expect(cancels.requests).toHaveLength(2);
  });

  it.for(passing)('a trigger and a replay are never sent again after %s', async ([, answer]) => {
    for (const endpoint of [start, replay]) {
      const transport = scripted(answer, json({ ids: [], run: { metadata: { id: RUN } } }));
      const { error } = await settled<unknown>(exchanging(transport)<unknown>(endpoint));
      expect(error).toMatchObject({ attempts: 1, retryable: true });
      expect(transport.requests).toHaveLength(1);
    }
  });

  it.for([400, 404, 409, 415, 501])('%s is final for everything', async (code) => {
    const transport = scripted({ status: code }, json('RUNNING'));
    const { error } = await settled(exchanging(transport)(status));
    expect(error).toMatchObject({ status: code, retryable: false, attempts: 1 });
  });

  it('an answer that cannot be read is final', async () => {
    const transport = scripted({ body: '<html>' }, json('RUNNING'));
    const { error } = await settled(exchanging(transport)(status));
    expect(error).toMatchObject({ _tag: 'DecodeError', attempts: 1 });
  });

  it('ends after maxAttempts with the last failure', async () => {
    const transport = scripted({ status: 503 }, reset(), { status: 500 });
    const { error } = await settled(
      exchanging(transport, { retry: { maxAttempts: 3, baseDelayMs: 1, maxDelayMs: 1 } })(status),
    );
    expect(error).toMatchObject({ _tag: 'HttpStatusError', status: 500, attempts: 3 });
    expect(transport.requests).toHaveLength(3);
  });

  it('maxAttempts 1 turns it off', async () => {
    const transport = scripted({ status: 503 }, json('RUNNING'));
    const { error } = await settled(
      exchanging(transport, { retry: { maxAttempts: 1, baseDelayMs: 1, maxDelayMs: 1 } })(status),
    );
    expect(error).toMatchObject({ attempts: 1 });
  });

  it('pauses grow with full jitter', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const sentAt: number[] = [];
    const began = Date.now();
    const transport = fakeTransport(() => {
      sentAt.push(Date.now() - began);
      return { status: 503 };
    });
    await settled(exchanging(transport)(status));
    expect(sentAt).toEqual([0, 50, 150, 350]);
  });

  const headers: readonly (readonly [string, () => string, number])[] = [
    ['seconds', () => '3', 3_000],
    ['a date', () => new Date(Date.now() + 7_000).toUTCString(), 6_000],
  ];

  it.for(headers)('Retry-After as %s is kept, for 429 and 503', async ([, header, least]) => {
    for (const code of [429, 503]) {
      const sentAt: number[] = [];
      const began = Date.now();
      const transport = fakeTransport((_, index) => {
        sentAt.push(Date.now() - began);
        return index === 0 ? { status: code, headers: { 'retry-after': header() } } : json('RUNNING');
      });
      await expect(settled(exchanging(transport)(status))).resolves.toMatchObject({ values: ['RUNNING'] });
      expect(sentAt[1]).toBeGreaterThanOrEqual(least);
      expect(sentAt[1]).toBeLessThanOrEqual(7_000);
    }
  });

  it('a Retry-After beyond the deadline ends at once, with what the server asked for', async () => {
    const transport = scripted({ status: 429, headers: { 'retry-after': '3600' } });
    let error: unknown;
    exchanging(transport)(status).subscribe({
      error: (cause: unknown) => {
        error = cause;
      },
    });
    expect(error).toMatchObject({ _tag: 'RateLimitedError', retryAfterMs: 3_600_000, attempts: 1, retryable: true });
  });

  it('unsubscribing in a pause: no further request, no timer', async () => {
    const transport = scripted({ status: 503 });
    const subscription = exchanging(transport)(status).subscribe();
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    subscription.unsubscribe();
    await vi.runAllTimersAsync();
    expect(transport.requests).toHaveLength(1);
  });
});

describe('the deadline', () => {
  it('is of all attempts together', async () => {
    const began = Date.now();
    const transport = fakeTransport(() => timer(400).pipe(map(() => ({ status: 503, headers: {}, body: '' }))));
    const { error } = await settled(exchanging(transport, { timeoutMs: 1_000 })(status));
    expect(error?._tag).toMatch(/TimeoutError|HttpStatusError/);
    expect(Date.now() - began).toBeLessThanOrEqual(1_000);
    expect(transport.underWay()).toBe(0);
  });

  it('aborts a request without an answer, and says how long, how often and where', async () => {
    const transport = scripted({ status: 503 }, NEVER);
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const { error } = await settled(exchanging(transport, { timeoutMs: 1_000 })(status));
    expect(error).toMatchObject({
      _tag: 'TimeoutError',
      waitedMs: 1_000,
      attempts: 2,
      operation: 'runs.getStatus',
      method: 'GET',
      path: `/api/v1/stable/workflow-runs/${RUN}/status`,
      runId: RUN,
      retryable: true,
    });
    expect(transport.underWay()).toBe(0);
  });

  it('holds for a token that does not come, too', async () => {
    const transport = scripted(json('RUNNING'));
    const credentials = asking(() => new Promise<string>(() => undefined));
    const { error } = await settled(exchanging(transport, { timeoutMs: 1_000, credentials })(status));
    expect(error).toMatchObject({ _tag: 'TimeoutError', attempts: 0 });
    expect(transport.requests).toHaveLength(0);
  });
});

describe('a refused token', () => {
  /** A server that takes one token only. */
  const taking = (good: () => string, answer: () => ReturnType<typeof json>): FakeTransport =>
    fakeTransport(({ headers }) => (headers['authorization'] === `Bearer ${good()}` ? answer() : REFUSED));

  it.for([
    ['read', status, 'RUNNING'],
    ['trigger', start, { run: { metadata: { id: RUN } } }],
  ] as const)('is asked for once more, and the %s goes on', async ([, endpoint, answer]) => {
    const tokens = ['old-token-1', 'new-token-2'];
    const ask = vi.fn<() => string>(() => tokens.shift() ?? 'none');
    const transport = taking(
      () => 'new-token-2',
      () => json(answer),
    );
    const { values, error } = await settled<unknown>(
      exchanging(transport, { credentials: asking(ask) })<unknown>(endpoint),
    );
    expect(error).toBeUndefined();
    expect(values).toHaveLength(1);
    expect(ask).toHaveBeenCalledTimes(2);
    expect(transport.requests).toHaveLength(2);
  });

  it.for([401, 403])('%s twice is an AuthenticationError', async (code) => {
    const ask = vi.fn<() => string>(() => 'always-the-same');
    const transport = scripted({ status: code });
    const { error } = await settled(exchanging(transport, { credentials: asking(ask) })(status));
    expect(error).toMatchObject({ _tag: 'AuthenticationError', status: code, attempts: 2, retryable: false });
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('a fixed token is not asked for again', async () => {
    const transport = scripted(REFUSED);
    const { error } = await settled(exchanging(transport)(status));
    expect(error).toMatchObject({ _tag: 'AuthenticationError', attempts: 1 });
  });

  it('refusals at the same time ask once, and all go on', async () => {
    let good = 'first-token';
    const ask = vi.fn<() => Promise<string>>(async () => {
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
      return good;
    });
    const transport = taking(
      () => good,
      () => json('RUNNING'),
    );
    const exchange = exchanging(transport, { credentials: asking(ask) });
    await settled(exchange(status));
    expect(ask).toHaveBeenCalledTimes(1);
    good = 'second-token';
    const results = await Promise.all([1, 2, 3, 4, 5].map(() => settled(exchange(status))));
    expect(results.map(({ values }) => values)).toEqual(Array.from({ length: 5 }, () => ['RUNNING']));
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('a refusal that comes after another has renewed the token takes the new one', async () => {
    let good = 'first-token';
    const ask = vi.fn<() => string>(() => good);
    const late = fakeTransport(({ headers, path }) => {
      const answer = headers['authorization'] === `Bearer ${good}` ? json('RUNNING') : REFUSED;
      return path.includes(RUN) ? of(answer) : timer(500).pipe(map(() => answer));
    });
    const exchange = exchanging(late, { credentials: asking(ask) });
    await settled(exchange(status));
    good = 'second-token';
    const slow = settled(exchange(runStatus('runs.getStatus', '11111111-1111-4111-8111-111111111111')));
    await settled(exchange(status));
    await expect(slow).resolves.toMatchObject({ values: ['RUNNING'] });
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('a question that fails is an error, and the next request asks anew', async () => {
    const answers = [() => Promise.reject(new Error('vault is down')), () => Promise.resolve('good-token')];
    const ask = vi.fn<() => Promise<string>>(() => (answers.shift() ?? (() => Promise.resolve('x')))());
    const exchange = exchanging(scripted(json('RUNNING')), { credentials: asking(ask) });
    await expect(settled(exchange(status))).resolves.toMatchObject({ error: { _tag: 'AuthenticationError' } });
    await expect(settled(exchange(status))).resolves.toMatchObject({ values: ['RUNNING'] });
  });

  it('later requests use the known token', async () => {
    const ask = vi.fn<() => string>(() => 'known-token');
    const exchange = exchanging(scripted(json('RUNNING')), { credentials: asking(ask) });
    await settled(exchange(status));
    await settled(exchange(status));
    expect(ask).toHaveBeenCalledTimes(1);
  });
});

describe('errors', () => {
  it('of a connection carry where, how often and the cause', async () => {
    const cause = reset();
    const { error } = await settled(exchanging(scripted(cause))(status));
    expect(error).toMatchObject({
      _tag: 'ConnectionError',
      operation: 'runs.getStatus',
      method: 'GET',
      path: `/api/v1/stable/workflow-runs/${RUN}/status`,
      runId: RUN,
      attempts: 4,
      retryable: true,
      status: undefined,
    });
    expect(error?.cause).toBe(cause);
    expect(error?.message).toContain('socket hang up');
  });

  it('the path is without the query', async () => {
    const { error } = await settled(exchanging(scripted({ status: 400 }))(runDetails('runs.get', RUN)));
    expect(error?.path).not.toContain('?');
  });

  it('of an answer that is not what was agreed on: the place, what was expected and found', async () => {
    const { error } = await settled(
      exchanging(scripted(json({ run: { status: 'RUNNING' } })))(runDetails('runs.get', RUN)),
    );
    expect(error).toMatchObject({
      _tag: 'DecodeError',
      path: 'run.metadata',
      requestPath: `/api/v1/stable/workflow-runs/${RUN}`,
      expected: 'an object',
      got: 'undefined',
      status: 200,
    });
  });

  it('snippet and message are bounded, however long the answer', async () => {
    const long = 'x'.repeat(100_000);
    for (const body of [long, JSON.stringify({ message: long }), JSON.stringify({ errors: [{ description: long }] })]) {
      for (const code of [200, 400, 403, 429, 500]) {
        const { error } = await settled(
          exchanging(scripted({ status: code, body }), { retry: { maxAttempts: 1, baseDelayMs: 1, maxDelayMs: 1 } })(
            status,
          ),
        );
        expect(error?.snippet?.length).toBeLessThanOrEqual(500);
        expect(error?.message.length).toBeLessThan(1_000);
      }
    }
  });

  it('an exchange of a stream that is read to its end gives one value', async () => {
    vi.useRealTimers();
    await expect(lastValueFrom(exchanging(scripted(json('FAILED')))(status).pipe(toArray()))).resolves.toEqual([
      'FAILED',
    ]);
    await expect(errorOf(exchanging(scripted({ status: 400 }))(status))).resolves.toMatchObject({ status: 400 });
    vi.useFakeTimers();
  });

  it('whatever the server answers, the end is a value or an error of the library', async () => {
    const answer = fc.record({ status: fc.integer({ min: 200, max: 599 }), body: fc.oneof(fc.string(), fc.json()) });
    await fc.assert(
      fc.asyncProperty(answer, async (given) => {
        const transport = scripted({ ...given, headers: {} });
        const { values, error } = await settled(exchanging(transport)(runDetails('runs.get', RUN)));
        expect(values.length + (error === undefined ? 0 : 1)).toBe(1);
        expect(error?._tag ?? 'HttpStatusError').toMatch(/Error$/);
      }),
    );
  });
});
