import { setTimeout as pause } from 'node:timers/promises';
import { startEngine } from 'hatchet-rx/testing';
import type { Engine, EngineOptions, TaskFunction } from 'hatchet-rx/testing';

/** JSON as these tests look into it. */
// oxlint-disable-next-line typescript/no-explicit-any
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly body: Json;
  readonly headers: Headers;
}

export interface Api {
  readonly engine: Engine;
  /** `{T}` stands for the tenant's path below `/api/v1/stable`; other paths begin with `/api/` or below it. */
  call(method: string, path: string, init?: { body?: unknown; headers?: Record<string, string> }): Promise<Answer>;
  get(path: string): Promise<Json>;
  post(path: string, body: unknown): Promise<Json>;
  trigger(workflow: string, input?: unknown, additionalMetadata?: Record<string, unknown>): Promise<string>;
  status(id: string): Promise<string>;
  /** Waits until /status says so. */
  until(id: string, status: string): Promise<void>;
  /** Waits until the run can be read. */
  readable(id: string): Promise<void>;
  events(id: string): Promise<Json[]>;
  list(query: string): Promise<Json>;
}

export const echo: TaskFunction = (input) => ({ echo: input });

/** Waits for `ms`, as long as the signal lets it. */
export const slow: TaskFunction = async (input, ctx) => {
  await ctx.sleep(input.ms);
  return { slept: input.ms };
};

export const broken: TaskFunction = () => {
  throw new Error('it broke');
};

/** Waits for a condition, and says which when it does not come about. */
export const eventually = async (what: string, check: () => Promise<boolean> | boolean): Promise<void> => {
  const end = Date.now() + 5000;
  while (Date.now() < end) {
    if (await check()) return;
    await pause(3);
  }
  throw new Error(`waited in vain: ${what}`);
};

/** A client of raw HTTP for one engine. */
export const apiOf = (engine: Engine): Api => {
  const call: Api['call'] = async (method, path, { body, headers = {} } = {}) => {
    const full = path.startsWith('/api/') ? path : `/api/v1/stable${path}`;
    const response = await fetch(engine.url + full.replace('{T}', `/tenants/${engine.tenantId}`), {
      method,
      headers: {
        authorization: `Bearer ${engine.token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? '' : JSON.parse(text), headers: response.headers };
  };
  const expect200 = (answer: Answer): Json => {
    if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const get: Api['get'] = async (path) => expect200(await call('GET', path));
  const status: Api['status'] = async (id) => String((await call('GET', `/workflow-runs/${id}/status`)).body);
  return {
    engine,
    call,
    get,
    post: async (path, body) => expect200(await call('POST', path, { body })),
    async trigger(workflowName, input = {}, additionalMetadata = {}) {
      const body = { workflowName, input, additionalMetadata, return_only_id: true };
      return expect200(await call('POST', '{T}/workflow-runs/trigger', { body })).run.metadata.id;
    },
    status,
    until: (id, wanted) => eventually(`${id} is ${wanted}`, async () => (await status(id)) === wanted),
    readable: (id) => eventually(`${id} is readable`, async () => (await call('GET', `/tasks/${id}`)).status === 200),
    events: async (id) => (await get(`/tasks/${id}/task-events?limit=1000`)).rows,
    list: (query) => get(`{T}/workflow-runs?only_tasks=false&since=2000-01-01&${query}`),
  };
};

/** An engine whose delays are as short as they get, unless the options say otherwise. */
export const quickEngine = async (options: EngineOptions = {}): Promise<Api> =>
  apiOf(
    await startEngine({
      visibilityDelayMs: 0,
      statusLagMs: 0,
      scheduleDelayMs: 0,
      cancelDelayMs: 0,
      retryDelayMs: 1,
      replayBatchPauseMs: 5,
      backoffSecondMs: 20,
      blockingPollMs: 10,
      ...options,
    }),
  );
