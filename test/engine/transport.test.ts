import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { echo, quickEngine } from './helpers.ts';
import type { Answer, Api } from './helpers.ts';

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

let api: Api;
let id: string;
beforeAll(async () => {
  api = await quickEngine();
  api.engine.workflow('echo', echo);
  id = await api.trigger('echo');
  await api.until(id, 'COMPLETED');
});
afterAll(() => api.engine.close());

/** What counts of an answer. */
const told = async (answer: Promise<Answer>): Promise<[number, unknown]> => {
  const { status, body } = await answer;
  return [status, body];
};
const message = (status: number, text: string): [number, unknown] => [status, { message: text }];
const CREDENTIALS = message(403, 'Please provide valid credentials');
const NOT_FOUND = message(404, 'not found');
const LIST = '{T}/workflow-runs?only_tasks=false&since=2000-01-01';

describe('who may ask', () => {
  test('a request without a token, with another one, or with bearer in lower case is a 403', async () => {
    expect(await told(api.call('GET', LIST, { headers: { authorization: '' } }))).toEqual(CREDENTIALS);
    expect(await told(api.call('GET', LIST, { headers: { authorization: 'Bearer nope' } }))).toEqual(CREDENTIALS);
    expect(await told(api.call('GET', LIST, { headers: { authorization: `bearer ${api.engine.token}` } }))).toEqual(
      CREDENTIALS,
    );
    expect(await told(api.call('GET', `/workflow-runs/${id}`, { headers: { authorization: 'Bearer nope' } }))).toEqual(
      CREDENTIALS,
    );
  });

  test('the id is looked up before the token', async () => {
    expect(
      await told(api.call('GET', `/workflow-runs/${UNKNOWN}`, { headers: { authorization: 'Bearer nope' } })),
    ).toEqual(NOT_FOUND);
    expect(await told(api.call('GET', '/tasks/abc', { headers: { authorization: '' } }))).toEqual(
      message(400, 'invalid task id'),
    );
  });

  test('a tenant is unknown, malformed, or somebody else’s', async () => {
    expect(await told(api.call('GET', `/tenants/${UNKNOWN}/workflow-runs`))).toEqual(NOT_FOUND);
    expect(await told(api.call('GET', '/tenants/abc/workflow-runs'))).toEqual(message(400, 'invalid tenant id'));
    expect(await told(api.call('GET', `/tenants/${api.engine.otherTenantId}/workflow-runs?only_tasks=false`))).toEqual(
      CREDENTIALS,
    );
    expect((await api.call('GET', '/tenants/default/workflow-runs?only_tasks=false')).status).toBe(200);
  });

  test('an unknown path or method is a 403 with null, HEAD one with nothing', async () => {
    for (const [method, path] of [
      ['GET', '/nope'],
      ['GET', `/workflow-runs/${id}/`],
      ['GET', `/workflow-runs/${id}/nope`],
      ['DELETE', '{T}/workflow-runs'],
    ] as const) {
      const answer = await api.call(method, path);
      expect([answer.status, answer.body]).toEqual([403, null]);
    }
    expect((await api.call('PUT', `/workflow-runs/${id}`, { body: {} })).body).toBeNull();
    const head = await api.call('HEAD', `/workflow-runs/${id}`);
    expect([head.status, head.body]).toEqual([403, '']);
  });

  test('dags/tasks wants the session of a user', async () => {
    expect(await told(api.call('GET', '/dags/tasks'))).toEqual(CREDENTIALS);
  });

  test('after a rotation only the new token counts', async () => {
    await using other = (await quickEngine()).engine;
    const old = other.token;
    const fresh = other.rotateToken();
    expect(other.token).toBe(fresh);
    const ask = async (token: string) => {
      const path = `${other.url}/api/v1/stable/tenants/default/workflow-runs/external-ids`;
      return (await fetch(path, { headers: { authorization: `Bearer ${token}` } })).status;
    };
    expect([await ask(old), await ask(fresh)]).toEqual([403, 200]);
  });
});

describe('ids', () => {
  test('unknown and malformed ids', async () => {
    expect(await told(api.call('GET', `/workflow-runs/${UNKNOWN}/status`))).toEqual(NOT_FOUND);
    expect(await told(api.call('GET', `/tasks/${UNKNOWN}`))).toEqual(NOT_FOUND);
    expect(await told(api.call('POST', `/tasks/${UNKNOWN}/restore`, { body: {} }))).toEqual(NOT_FOUND);
    expect(await told(api.call('GET', '/workflow-runs/abc'))).toEqual(message(400, 'invalid workflow run id'));
    expect(await told(api.call('GET', '{T}/durable-tasks/abc'))).toEqual(message(400, 'invalid durable task id'));
  });

  test('are taken in capitals, too', async () => {
    expect(await api.get(`/workflow-runs/${id.toUpperCase()}/status`)).toBe('COMPLETED');
  });
});

describe('bodies', () => {
  const cancel = (body: string, contentType = 'application/json'): Promise<Answer> =>
    api.call('POST', '{T}/tasks/cancel', { body, headers: { 'content-type': contentType } });
  const ids = JSON.stringify({ externalIds: [UNKNOWN] });

  test('only JSON is read, forms lose their fields', async () => {
    expect(await told(cancel(ids, 'text/plain'))).toEqual(message(415, 'Unsupported Media Type'));
    expect((await cancel(ids, 'application/x-www-form-urlencoded')).body).toEqual({ ids: [] });
    expect((await cancel(ids, 'application/json; charset=utf-8')).body).toEqual({ ids: [UNKNOWN] });
  });

  test('what follows the first value is not looked at, what is broken is a 400', async () => {
    expect((await cancel(`${ids} x`)).body).toEqual({ ids: [UNKNOWN] });
    expect(await told(cancel('{"externalIds":'))).toEqual(message(400, 'unexpected EOF'));
    expect(await told(cancel('hello'))).toEqual(
      message(400, "Syntax error: offset=1, error=invalid character 'h' looking for beginning of value"),
    );
  });

  test('a field of the wrong kind is a 400 that names it', async () => {
    const answer = await api.call('POST', '{T}/workflow-runs/trigger', {
      body: '{"workflowName": "quick", "input": [1], "return_only_id": true}',
    });
    expect(answer.status).toBe(400);
    expect(answer.body.message).toBe(
      'Unmarshal type error: expected=map[string]interface {}, got=array, field=input, offset=36',
    );
  });
});

describe('parameters', () => {
  const refused = async (query: string): Promise<string> => {
    const answer = await api.call('GET', `{T}/workflow-runs?${query}`);
    expect(answer.status).toBe(400);
    return answer.body.message;
  };

  test('are bound as Go binds them', async () => {
    expect(await refused('since=2026-01-01')).toBe(
      "Invalid format for parameter only_tasks: query parameter 'only_tasks' is required",
    );
    expect(await refused('only_tasks=yes')).toContain('strconv.ParseBool: parsing "yes": invalid syntax');
    expect(await refused('only_tasks=false&limit=abc')).toBe(
      'Invalid format for parameter limit: error binding string parameter: strconv.ParseInt: parsing "abc": invalid syntax',
    );
    expect(await refused('only_tasks=false&limit=1&limit=2')).toContain('multiple values for single value parameter');
    expect(await refused('only_tasks=false&since=yesterday')).toContain("error parsing 'yesterday' as RFC3339");
    expect(await refused('only_tasks=false&since=2026-11-23T00:00:00')).toContain('extra text: "T00:00:00"');
    expect(await refused('only_tasks=false&since=2026-02-30')).toContain('day out of range');
    expect(await refused('only_tasks=false&workflow_ids=quick')).toContain(
      "error setting array element: error unmarshaling 'quick' text as *uuid.UUID: invalid UUID length: 5",
    );
    for (const flag of ['1', 't', 'TRUE', '0', 'f', 'False']) {
      expect((await api.call('GET', `{T}/workflow-runs?only_tasks=${flag}`)).status).toBe(200);
    }
  });

  test('limits the database cannot take are a 500', async () => {
    for (const query of ['limit=0', 'limit=-1', 'limit=3000000000', 'offset=-1']) {
      expect(await told(api.call('GET', `${LIST}&${query}`))).toEqual(message(500, 'Internal Server Error'));
    }
  });

  test('more than 10,000 of them are all dropped', async () => {
    const many = 'additional_metadata=a:b&'.repeat(10_000);
    expect(await told(api.call('GET', `${LIST}&${many}`))).toEqual(
      message(400, "Invalid format for parameter only_tasks: query parameter 'only_tasks' is required"),
    );
    expect((await api.call('GET', `{T}/workflow-runs/external-ids?since=2000-01-01&${many}`)).body).toBeNull();
  });

  test('times need a zone, or no time of day at all', async () => {
    for (const since of ['2020-01-01', '2020-01-01T00:00:00Z', '2020-01-01T00:00:00.123456789%2B02:00']) {
      expect((await api.get(`{T}/workflow-runs?only_tasks=false&since=${since}`)).rows).toHaveLength(1);
    }
  });
});

describe('browsers', () => {
  test('every origin may ask, and a preflight reflects the headers', async () => {
    const answer = await fetch(`${api.engine.url}/api/v1/stable/workflow-runs/${id}`, {
      method: 'OPTIONS',
      headers: { origin: 'http://app.test', 'access-control-request-headers': 'authorization,x-mine' },
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('access-control-allow-headers')).toBe('authorization,x-mine');
    expect((await api.call('GET', `/workflow-runs/${id}`)).headers.get('access-control-allow-origin')).toBe('*');
  });
});
