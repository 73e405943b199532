import { describe, expect, it } from 'vitest';
import { createGateway, type GatewayOptions } from '../../src/gateway/index.ts';
import { errorWithTag, eventually, one } from '../support/observe.ts';
import { json, RUNS, stand, TENANT } from './support/stand.ts';

const LIST = `${TENANT}/workflow-runs?since=2026-01-01T00:00:00Z&only_tasks=false`;
const APP = 'https://app.example.com';

const grants = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([name]) => name.startsWith('access-control') || name === 'vary'));

describe('pages of other origins', () => {
  const preflight = (origin: string): RequestInit => ({
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    },
  });

  it('get nothing by default', async () => {
    await using gate = await stand();
    expect(grants(await gate.ask(LIST, preflight(APP)))).toEqual({});
    expect(grants(await gate.ask(LIST, { headers: { origin: APP } }))).toEqual({});
  });

  it('get what was allowed to them, and no others do', async () => {
    await using gate = await stand({ cors: { origins: [APP], credentials: true } });
    const answer = await gate.ask(LIST, preflight(APP));
    expect(answer.status).toBe(204);
    expect(grants(answer)).toEqual({
      'access-control-allow-origin': APP,
      'access-control-allow-credentials': 'true',
      'access-control-allow-headers': 'authorization,content-type',
      'access-control-allow-methods': 'GET, POST, OPTIONS',
      'access-control-expose-headers': 'retry-after',
      'access-control-max-age': '600',
      vary: 'origin',
    });
    expect(grants(await gate.ask(LIST, { headers: { origin: APP } }))).toMatchObject({
      'access-control-allow-origin': APP,
    });
    // Errors and streams, too: otherwise the page cannot tell what is wrong.
    const { id } = await one(gate.owner.runs.trigger('quick', {}));
    for (const path of ['/nowhere', `${RUNS}/nonsense`, `${TENANT}/workflow-runs/${id}/events`]) {
      const response = await gate.ask(path, { headers: { origin: APP } });
      expect([path, grants(response)]).toMatchObject([path, { 'access-control-allow-origin': APP }]);
      await response.body?.cancel();
    }
    expect(grants(await gate.ask(LIST, preflight('https://evil.example.com')))).toEqual({ vary: 'origin' });
    expect(grants(await gate.ask(LIST, preflight('null')))).toEqual({ vary: 'origin' });
  });

  it('may all use a gateway that says so, without cookies', async () => {
    await using gate = await stand({ cors: { origins: '*' } });
    expect(grants(await gate.ask(LIST, preflight(APP)))).toMatchObject({ 'access-control-allow-origin': '*' });
  });

  it('cannot send anything without a preflight', async () => {
    await using gate = await stand();
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
      const response = await gate.ask(`${TENANT}/workflow-runs/trigger`, {
        method: 'POST',
        headers: { 'content-type': type },
        body: JSON.stringify({ workflowName: 'quick', input: {} }),
      });
      expect([type, response.status]).toEqual([type, 415]);
    }
    expect(gate.engine.requests).toEqual([]);
  });
});

describe('bodies', () => {
  const trigger = `${TENANT}/workflow-runs/trigger`;

  it('that are too large are refused, also when they do not say so', async () => {
    await using gate = await stand({ limits: { bodyBytes: 1_000 } });
    const body = JSON.stringify({ workflowName: 'quick', input: { text: 'x'.repeat(2_000) } });
    const headers = { 'content-type': 'application/json' };
    expect((await gate.ask(trigger, { method: 'POST', headers, body })).status).toBe(413);
    const inPieces = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode('x'.repeat(100)));
      },
    });
    const init = { method: 'POST', headers, body: inPieces, duplex: 'half' } as RequestInit;
    expect((await gate.ask(trigger, init)).status).toBe(413);
    const overHttp = await fetch(gate.url + trigger, { method: 'POST', headers, body });
    expect(overHttp.status).toBe(413);
    expect(gate.engine.requests).toEqual([]);
  });

  it.each<[string, string, unknown]>([
    ['no JSON', trigger, '{'],
    ['no object', trigger, '[]'],
    ['no name', trigger, { input: {} }],
    ['metadata that are none', trigger, { workflowName: 'quick', input: {}, additionalMetadata: 'x' }],
    ['ids that are none', `${TENANT}/tasks/cancel`, { externalIds: ['nonsense'] }],
    ['ids that are no list', `${TENANT}/tasks/cancel`, { externalIds: 'nonsense' }],
    ['ids and a filter', `${TENANT}/tasks/cancel`, { externalIds: [crypto.randomUUID()], filter: {} }],
    ['a filter that is none', `${TENANT}/tasks/replay`, { filter: 'x' }],
    [
      'an unknown status',
      `${TENANT}/tasks/cancel`,
      { filter: { since: '2026-01-01T00:00:00Z', statuses: ['failed'] } },
    ],
    ['a pair without a colon', `${TENANT}/tasks/cancel`, { filter: { additionalMetadata: ['user'] } }],
    ['no time', `${TENANT}/tasks/cancel`, { filter: { since: 'yesterday' } }],
    ['no task', `${TENANT}/durable-tasks/branch`, { nodeId: 1 }],
  ])('with %s are 400', async (_, path, body) => {
    await using gate = await stand();
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const response = await gate.ask(path, { ...json({}), body: text });
    expect([response.status, Object.keys((await response.json()) as object)]).toEqual([400, ['message']]);
    expect(gate.engine.requests).toEqual([]);
  });

  it('with more ids than allowed are 400', async () => {
    await using gate = await stand({ limits: { idsPerRequest: 2 } });
    const ids = Array.from({ length: 3 }, () => crypto.randomUUID());
    expect((await gate.ask(`${TENANT}/tasks/cancel`, json({ externalIds: ids }))).status).toBe(400);
    const query = ids.map((id) => `external_ids=${id}`).join('&');
    expect((await gate.ask(`${TENANT}/workflow-runs/display-names?${query}`)).status).toBe(400);
  });
});

describe('queries', () => {
  it.each([
    '&limit=0',
    '&limit=-1',
    '&limit=abc',
    '&limit=100000',
    '&offset=-1',
    '&since=2026-02-02T00:00:00Z',
    '&until=tomorrow',
    '&until=2026-01-01T00:00:00',
    '&statuses=FAILED,CANCELLED',
    '&workflow_ids=x',
    '&worker_id=x',
    '&include_payloads=yes',
    '&additional_metadata=none',
  ])('%s is 400, and nothing is sent', async (query) => {
    await using gate = await stand();
    const response = await gate.ask(LIST + query);
    expect([response.status, Object.keys((await response.json()) as object)]).toEqual([400, ['message']]);
    expect(gate.engine.requests).toEqual([]);
  });
});

describe("the server's troubles", () => {
  it('are passed on as what they mean to a client', async () => {
    await using gate = await stand({ owner: { retry: { maxAttempts: 1 }, timeoutMs: 300 } });
    const { id } = await one(gate.owner.runs.trigger('quick', {}));
    await one(gate.owner.runs.getRunRef(id).result$);
    const after = async (fault: Parameters<typeof gate.engine.faults.add>[0]) => {
      const remove = gate.engine.faults.add(fault);
      const response = await gate.ask(`${RUNS}/${id}/status`);
      remove();
      return [response.status, await response.json()];
    };
    expect(await after({ kind: 'status', status: 500 })).toEqual([500, { message: 'Internal Server Error' }]);
    expect(await after({ kind: 'status', status: 503 })).toEqual([503, { message: 'Internal Server Error' }]);
    expect(await after({ kind: 'status', status: 400, body: { errors: [{ description: 'no' }] } })).toEqual([
      400,
      { errors: [{ description: 'no' }] },
    ]);
    expect((await after({ kind: 'drop' }))[0]).toBe(502);
    expect((await after({ kind: 'malformed' }))[0]).toBe(502);
    expect((await after({ kind: 'stall' }))[0]).toBe(504);
    expect((await after({ kind: 'status', status: 403 }))[0]).toBe(502);
    expect((await after({ kind: 'status', status: 429, retryAfter: 7 }))[0]).toBe(429);
    gate.engine.faults.add({ kind: 'status', status: 429, retryAfter: 7, times: 1 });
    expect((await gate.ask(`${RUNS}/${id}/status`)).headers.get('retry-after')).toBe('7');
    // Its owner hears of what is the server's or the gateway's own fault.
    expect(gate.errors.length).toBeGreaterThan(4);
  });

  it('are not multiplied: a request is sent once', async () => {
    await using gate = await stand();
    const { id } = await one(gate.owner.runs.trigger('quick', {}));
    const before = gate.engine.requests.length;
    gate.engine.faults.add({ kind: 'status', status: 500, match: { operation: 'getRunStatus' } });
    await errorWithTag(
      'HttpStatusError',
      gate.client({ retry: { maxAttempts: 2, baseDelayMs: 1 } }).runs.getStatus(id),
    );
    const sent = gate.engine.requests.slice(before).filter(({ operation }) => operation === 'getRunStatus');
    expect(sent).toHaveLength(2);
  });

  it('end with those who asked', async () => {
    await using gate = await stand();
    const { id } = await one(gate.owner.runs.trigger('quick', {}));
    gate.engine.faults.add({ kind: 'stall', match: { operation: 'getRunStatus' } });
    const abort = new AbortController();
    const answer = gate.ask(`${RUNS}/${id}/status`, { signal: abort.signal });
    await eventually(() => gate.engine.requests.at(-1)?.operation === 'getRunStatus');
    abort.abort();
    expect((await answer).status).toBe(499);
    await eventually(() => gate.engine.requests.at(-1)?.aborted);
  });

  it('of a closed client are 503', async () => {
    await using gate = await stand();
    await gate.owner.close();
    expect((await gate.ask(`${RUNS}/${crypto.randomUUID()}/status`)).status).toBe(503);
  });
});

describe('options', () => {
  it.each<[string, Partial<GatewayOptions>, RegExp]>([
    ['an unknown one', { authorise: () => true } as never, /no option "authorise"/],
    ['an unknown limit', { limits: { stream: 1 } as never }, /no option "stream"/],
    ['an unknown buffer', { buffer: { event: 1 } as never }, /no option "event"/],
    ['a limit of nothing', { limits: { streams: 0 } }, /limits.streams/],
    ['a part of an event', { buffer: { events: 1.5 } }, /buffer.events/],
    ['a heartbeat of nothing', { heartbeatMs: 0 }, /heartbeatMs/],
    ['a base path without its slash', { basePath: 'hatchet' }, /basePath/],
    ['a base path with a slash too many', { basePath: '/hatchet/' }, /basePath/],
    ['an origin that is none', { cors: { origins: ['app.example.com'] } }, /cors.origins/],
    ['an origin with a path', { cors: { origins: ['https://app.example.com/'] } }, /cors.origins/],
    ['cookies for all', { cors: { origins: '*', credentials: true } }, /cors.credentials/],
  ])('%s is a ConfigError', async (_, options, message) => {
    await using gate = await stand();
    expect(() => createGateway({ hatchet: gate.owner, authorize: () => true, ...options })).toThrow(message);
  });

  it('a listener that throws takes no answer with it', async () => {
    await using gate = await stand({
      authorize: () => {
        throw new Error('broken');
      },
      onError: () => {
        throw new Error('broken, too');
      },
    });
    expect((await gate.ask(LIST)).status).toBe(500);
  });
});
