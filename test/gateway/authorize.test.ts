import type { Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { RunsClient } from '../../src/index.ts';
import { type Access, type Authorize, createGateway, type Decision } from '../../src/gateway/index.ts';
import { all, errorOf, errorWithTag, eventually, one } from '../support/observe.ts';
import { json, RUNS, stand, type Stand, TENANT } from './support/stand.ts';

const MINE = { user: 'ada' };
const THEIRS = { user: 'bob' };

/** Every operation about one run, and what a gateway is asked for it. */
const ABOUT_ONE: Readonly<Record<string, (runs: RunsClient, id: string) => Observable<unknown>>> = {
  get: (runs, id) => runs.get(id),
  getStatus: (runs, id) => runs.getStatus(id),
  getTaskRun: (runs, id) => runs.getTaskRun(id),
  getResult: (runs, id) => runs.getResult(id),
  getTimings: (runs, id) => runs.getTimings(id),
  getTaskEvents: (runs, id) => runs.getTaskEvents(id),
  getTaskLogs: (runs, id) => runs.getTaskLogs(id),
  subscribeToStream: (runs, id) => runs.subscribeToStream(id),
  restoreTask: (runs, id) => runs.restoreTask(id),
};

/** Operations that change runs. */
const ACTIONS: Readonly<Record<string, (runs: RunsClient, id: string) => Observable<unknown>>> = {
  cancel: (runs, id) => runs.cancel(id),
  replay: (runs, id) => runs.replay(id),
  bulkCancel: (runs, id) => runs.bulkCancel({ ids: [id] }),
  bulkReplay: (runs, id) => runs.bulkReplay({ ids: [id] }),
  branchDurableTask: (runs, id) => runs.branchDurableTask({ taskExternalId: id, nodeId: 1, branchId: 1 }),
};

const ABOUT_MANY: Readonly<Record<string, (runs: RunsClient) => Observable<unknown>>> = {
  list: (runs) => runs.list(),
  listPages: (runs) => runs.listPages(),
  listWithPagination: (runs) => runs.listWithPagination(),
  listIds: (runs) => runs.listIds(),
  getMetrics: (runs) => runs.getMetrics(),
  trigger: (runs) => runs.trigger('quick', {}),
  create: (runs) => runs.create('quick', {}),
  triggerAndStream: (runs) => runs.triggerAndStream('quick', {}),
  bulkCancelByFilters: (runs) => runs.bulkCancel({ filters: { additionalMetadata: { no: 'body' } } }),
};

/** A gateway that decides as it is told to, and notes what it was asked. */
async function deciding(decide: (access: Access) => Decision | Promise<Decision>, options = {}) {
  const asked: Access[] = [];
  const authorize: Authorize = (_request, access) => {
    asked.push(access);
    return decide(access);
  };
  const gate = await stand({ authorize, ...options });
  return { gate, asked, [Symbol.asyncDispose]: () => gate.close() };
}

/** The ids in the answer to a list, of runs or of ids; none in a refusal. */
function idsIn(body: unknown): unknown[] {
  if (Array.isArray(body)) return body;
  const rows = (body as { rows?: { metadata: { id: string } }[] } | null)?.rows ?? [];
  return rows.map(({ metadata }) => metadata.id);
}

const trigger = (gate: Stand, additionalMetadata: Record<string, string>, workflow = 'quick', input = {}) =>
  one(gate.owner.runs.trigger(workflow, input, { additionalMetadata }));

async function finished(gate: Stand, additionalMetadata: Record<string, string>): Promise<string> {
  const ref = await trigger(gate, additionalMetadata);
  await one(ref.result$);
  return ref.id;
}

describe('deny by default', () => {
  it('without authorize there is no gateway', async () => {
    await using gate = await stand();
    expect(() => createGateway({ hatchet: gate.owner } as never)).toThrow(/authorize is required/);
    expect(() => createGateway({ hatchet: {} as never, authorize: () => true })).toThrow(/createHatchet/);
  });

  it.each(Object.entries({ ...ABOUT_ONE, ...ACTIONS }))(
    '%s is refused when authorize says false',
    async (_, operation) => {
      await using it_ = await deciding(() => false);
      const id = await finished(it_.gate, MINE);
      const before = it_.gate.engine.requests.length;
      await errorWithTag('AuthenticationError', operation(it_.gate.client().runs, id));
      // At most a look at whose task it is; nothing is done, and nothing is told.
      const after = it_.gate.engine.requests.slice(before);
      expect(after.filter(({ operation: name }) => name !== 'getTask')).toEqual([]);
      expect(it_.gate.gateway.stats().denied).toBeGreaterThan(0);
    },
  );

  it.each(Object.entries(ABOUT_MANY))('%s is refused when authorize says false', async (_, operation) => {
    await using it_ = await deciding(() => false);
    await errorWithTag('AuthenticationError', operation(it_.gate.client().runs));
    expect(it_.gate.engine.requests).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'yes'],
    ['a number', 1],
    ['an empty object', {}],
    ['an empty scope', { scope: {} }],
    ['a scope that is none', { scope: undefined }],
    ['a scope with a number', { scope: { user: 7 } }],
    ['a scope with a colon', { scope: { 'user:name': 'ada' } }],
    ['a reason, and a scope', { denied: 'no', scope: MINE }],
  ])('%s is no permission', async (_, decision) => {
    await using it_ = await deciding(() => decision as Decision);
    const response = await it_.gate.ask(`${TENANT}/workflow-runs?since=2026-01-01&only_tasks=false`);
    expect([403, 500]).toContain(response.status);
    expect(it_.gate.engine.requests).toEqual([]);
  });

  it('a reason is told, and an error is not', async () => {
    await using reason = await deciding(() => ({ denied: 'come back on Monday' }));
    const denied = await reason.gate.ask(`${TENANT}/workflow-runs?since=2026-01-01&only_tasks=false`);
    expect([denied.status, await denied.json()]).toEqual([403, { message: 'come back on Monday' }]);

    await using broken = await deciding(() => {
      throw new Error('the database password is hunter2');
    });
    const failed = await broken.gate.ask(`${TENANT}/workflow-runs?since=2026-01-01&only_tasks=false`);
    expect([failed.status, await failed.json()]).toEqual([500, { message: 'Internal Server Error' }]);
    expect(broken.gate.errors).toMatchObject([{ message: 'the database password is hunter2' }]);
  });

  it('paths that the gateway does not serve are refused as the server refuses unknown ones', async () => {
    await using it_ = await deciding(() => true);
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/api/v1/stable'],
      ['GET', `${TENANT}/logs`],
      ['GET', `${TENANT}/workflow-runs/`],
      ['DELETE', `${TENANT}/workflow-runs`],
      ['POST', `${TENANT}/workflow-runs`],
      ['HEAD', `${RUNS}/${crypto.randomUUID()}`],
      ['GET', '/api/v1/tenants/default/worker'],
      ['PUT', `${TENANT}/workflow-runs/trigger`],
    ] as const) {
      const response = await it_.gate.ask(path, { method });
      expect([response.status, await response.text()], `${method} ${path}`).toEqual([403, 'null']);
    }
    expect(it_.asked).toEqual([]);
  });
});

describe('authorize is asked', () => {
  it.each(Object.entries({ ...ABOUT_ONE, ...ACTIONS }))('for %s, with the run', async (_, operation) => {
    await using it_ = await deciding(() => true);
    const id = await finished(it_.gate, MINE);
    await all(operation(it_.gate.client().runs, id)).catch(() => {});
    expect(it_.asked.length).toBeGreaterThan(0);
    for (const { runIds } of it_.asked) expect(runIds).toEqual([id]);
  });

  it("with a task's run, and the task", async () => {
    await using it_ = await deciding(() => true);
    const ref = await trigger(it_.gate, MINE, 'steps');
    await one(ref.result$);
    const { tasks } = await one(ref.details$);
    const taskRunId = tasks[0]?.taskExternalId ?? '';
    const { runs } = it_.gate.client();
    await one(runs.getTaskRun(taskRunId));
    await one(runs.getTaskEvents(taskRunId));
    expect(it_.asked).toEqual([
      { operation: 'getTaskRun', runIds: [ref.id], taskRunId },
      { operation: 'getTaskEvents', runIds: [ref.id], taskRunId },
    ]);
  });

  it('with the filter of lists, and the workflow of triggers', async () => {
    await using it_ = await deciding(() => true);
    const { runs } = it_.gate.client();
    const since = new Date(Date.now() - 60_000);
    const filter = {
      since,
      statuses: ['FAILED'],
      additionalMetadata: { a: '1', b: '2' },
      matchMetadata: 'any',
    } as const;
    await one(runs.list(filter));
    await all(runs.listIds({ since }));
    await one(runs.trigger('quick', {}, { additionalMetadata: { a: '1' } }));
    const askedFor = (operation: string) => it_.asked.filter((access) => access.operation === operation);
    expect(askedFor('list')).toMatchObject([{ filter }]);
    expect(askedFor('listIds')).toMatchObject([{ filter: { since: new Date(since.getTime() - 1) } }]);
    expect(askedFor('trigger')).toEqual([{ operation: 'trigger', workflowName: 'quick' }]);
    // The client looks the name up beside its trigger.
    expect(askedFor('listWorkflows')).toHaveLength(1);
  });

  it('and may take its time', async () => {
    await using it_ = await deciding(async () => {
      await Promise.resolve();
      return true;
    });
    await one(it_.gate.client().runs.list());
    expect(it_.asked).toHaveLength(1);
  });
});

describe('a scope', () => {
  const scoped = (options = {}) => deciding(() => ({ scope: MINE }), options);

  it.each(Object.entries(ABOUT_ONE))(
    '%s: within it as always, outside of it as if there were nothing',
    async (_, operation) => {
      await using it_ = await scoped();
      const [mine, theirs] = await Promise.all([finished(it_.gate, { ...MINE, x: '1' }), finished(it_.gate, THEIRS)]);
      const { runs } = it_.gate.client();
      expect((await all(operation(runs, mine))).length).toBeGreaterThan(0);
      const outside = await errorWithTag('RunNotFoundError', operation(runs, theirs));
      const missing = await errorWithTag('RunNotFoundError', operation(runs, crypto.randomUUID()));
      expect([outside.status, outside.snippet]).toEqual([missing.status, missing.snippet]);
    },
  );

  it.each(['cancel', 'bulkCancel'])('%s: within it as always, outside of it refused', async (name) => {
    await using it_ = await scoped();
    const { gate } = it_;
    const [mine, theirs] = await Promise.all([trigger(gate, MINE, 'wait'), trigger(gate, THEIRS, 'wait')]);
    const { runs } = gate.client();
    const cancel = ACTIONS[name] ?? (() => runs.list());
    await one(cancel(runs, mine.id));
    expect(await one(mine.status())).toBe('CANCELLED');
    await errorWithTag('AuthenticationError', cancel(runs, theirs.id));
    await errorWithTag('AuthenticationError', cancel(runs, crypto.randomUUID()));
    expect(['QUEUED', 'RUNNING']).toContain(await one(theirs.status()));
  });

  it('replay: within it as always, outside of it refused; steps of a DAG, too', async () => {
    await using it_ = await scoped();
    const [mine, theirs] = await Promise.all([trigger(it_.gate, MINE, 'steps'), trigger(it_.gate, THEIRS, 'steps')]);
    const { runs } = it_.gate.client();
    const stepOf = async (ref: typeof mine) => {
      await one(ref.result$);
      return (await one(ref.details$)).tasks[0]?.taskExternalId ?? '';
    };
    const [myStep, theirStep] = [await stepOf(mine), await stepOf(theirs)];
    expect(await one(runs.replay(myStep))).toEqual([myStep]);
    await errorOf(runs.replay(theirStep));
    await errorOf(runs.replay(theirs.id));
    const raw = await it_.gate.ask(`${TENANT}/tasks/replay`, json({ externalIds: [theirStep] }));
    expect(raw.status).toBe(403);
    const { tasks } = await one(it_.gate.owner.runs.get(theirs.id));
    expect(tasks.map(({ attempt }) => attempt)).toEqual([1, 1]);
  });

  it('one id outside spoils a selection, and nothing is done to any', async () => {
    await using it_ = await scoped();
    const [mine, theirs] = await Promise.all([trigger(it_.gate, MINE, 'wait'), trigger(it_.gate, THEIRS, 'wait')]);
    const before = it_.gate.engine.requests.length;
    const response = await it_.gate.ask(`${TENANT}/tasks/cancel`, json({ externalIds: [mine.id, theirs.id] }));
    expect(response.status).toBe(403);
    expect(it_.gate.engine.requests.slice(before).some(({ operation }) => operation === 'cancel')).toBe(false);
  });

  it('a stream of several runs needs them all within it', async () => {
    await using it_ = await scoped();
    const [mine, theirs] = await Promise.all([finished(it_.gate, MINE), finished(it_.gate, THEIRS)]);
    const status = async (...ids: string[]) => {
      const response = await it_.gate.ask(`${TENANT}/workflow-runs/events?${ids.map((id) => `id=${id}`).join('&')}`);
      await response.body?.cancel();
      return response.status;
    };
    expect(await status(mine)).toBe(200);
    expect(await status(mine, theirs)).toBe(404);
    expect(await status(theirs)).toBe(404);
  });

  it('a run that someone else reads is no way in', async () => {
    let scope: Decision = true;
    await using it_ = await deciding(() => scope);
    const theirs = await finished(it_.gate, THEIRS);
    const { runs } = it_.gate.client();
    expect((await all(runs.subscribeToStream(theirs))).at(-1)?.type).toBe('finished');
    scope = { scope: MINE };
    await errorWithTag('RunNotFoundError', runs.subscribeToStream(theirs));
  });

  it('lists show what is within it, and only that', async () => {
    await using it_ = await scoped();
    const { gate } = it_;
    const mine = await Promise.all([
      finished(gate, MINE),
      finished(gate, { ...MINE, kind: 'a' }),
      finished(gate, { ...MINE, kind: 'b' }),
    ]);
    const theirs = await Promise.all([
      finished(gate, THEIRS),
      finished(gate, { ...THEIRS, kind: 'a' }),
      finished(gate, { kind: 'b' }),
    ]);
    expect(theirs).toHaveLength(3);
    const { runs } = gate.client();
    const ids = async (source: Observable<{ metadata: { id: string } }>) =>
      (await all(source)).map((row) => row.metadata.id).toSorted();
    const same = (...chosen: (string | undefined)[]) => chosen.map((id) => id ?? '').toSorted();
    expect(await ids(runs.listWithPagination())).toEqual(same(...mine));
    expect(await ids(runs.listWithPagination({ pageSize: 1 }))).toEqual(same(...mine));
    expect(await ids(runs.listWithPagination({ onlyTasks: true }))).toEqual(same(...mine));
    expect((await all(runs.listIds())).toSorted()).toEqual(same(...mine));
    expect(await ids(runs.listWithPagination({ additionalMetadata: { kind: 'a' } }))).toEqual(same(mine[1]));
    expect((await all(runs.listIds({ additionalMetadata: { kind: 'a' } }))).toSorted()).toEqual(same(mine[1]));
    expect(await one(runs.getMetrics())).toContainEqual(expect.objectContaining({ status: 'COMPLETED', count: 3 }));
  });

  it.each<[string, Record<string, string>]>([
    ['pairs of others', { user: 'bob', kind: 'a' }],
    ['the scope beside pairs of others', { user: 'ada', kind: 'a' }],
    ['two kinds', { kind: 'a', none: 'x' }],
    ['nothing that exists', { no: 'body', none: 'x' }],
  ])('an OR filter does not widen it: %s', async (_, additionalMetadata) => {
    await using it_ = await scoped();
    const { gate } = it_;
    const mine = [
      { id: await finished(gate, MINE), metadata: MINE },
      { id: await finished(gate, { ...MINE, kind: 'a' }), metadata: { ...MINE, kind: 'a' } },
    ];
    await finished(gate, { ...THEIRS, kind: 'a' });
    await finished(gate, { kind: 'a' });
    const expected = mine
      .filter(({ metadata }) =>
        Object.entries(additionalMetadata).some(([key, value]) => Reflect.get(metadata, key) === value),
      )
      .map(({ id }) => id)
      .toSorted();
    const { runs } = gate.client();
    const filter = { additionalMetadata, matchMetadata: 'any' } as const;
    expect((await all(runs.listWithPagination(filter))).map(({ metadata }) => metadata.id).toSorted()).toEqual(
      expected,
    );
    expect((await one(runs.list({ ...filter, limit: 1 }))).rows).toHaveLength(Math.min(1, expected.length));
    expect((await all(runs.listIds(filter))).toSorted()).toEqual(expected);
  });

  it('a filter for somebody else finds nothing', async () => {
    await using it_ = await scoped();
    await finished(it_.gate, MINE);
    await finished(it_.gate, THEIRS);
    const { runs } = it_.gate.client();
    expect(await all(runs.listWithPagination({ additionalMetadata: THEIRS }))).toEqual([]);
    expect(await all(runs.listIds({ additionalMetadata: THEIRS }))).toEqual([]);
    await errorOf(runs.getMetrics({ additionalMetadata: THEIRS }));
  });

  it('of several pairs needs them all, everywhere', async () => {
    await using it_ = await deciding(() => ({ scope: { user: 'ada', org: 'x' } }));
    const both = await finished(it_.gate, { user: 'ada', org: 'x' });
    const half = await finished(it_.gate, { user: 'ada', org: 'y' });
    const { runs } = it_.gate.client();
    expect((await all(runs.listWithPagination())).map(({ metadata }) => metadata.id)).toEqual([both]);
    expect(await all(runs.listIds())).toEqual([both]);
    expect(await one(runs.getStatus(both))).toBe('COMPLETED');
    await errorWithTag('RunNotFoundError', runs.getStatus(half));
    // Counts know no AND.
    await errorWithTag('HttpStatusError', runs.getMetrics());
  });

  it.each<[string, string]>([
    ['a pair of another user beside', '&additional_metadata=user:bob&additional_metadata_operator=OR'],
    [
      'an operator in lower case',
      '&additional_metadata=user:bob&additional_metadata=kind:a&additional_metadata_operator=and',
    ],
    [
      'the operator twice',
      '&additional_metadata=kind:a&additional_metadata_operator=OR&additional_metadata_operator=AND',
    ],
    ['a pair without a colon', '&additional_metadata=user'],
    ['an unknown status', '&statuses=NOPE'],
    ['more parameters than the server reads', '&x=1'.repeat(10_001)],
    ['the same key twice', '&additional_metadata=user:bob&additional_metadata=user:ada'],
    ['names in other cases', '&Additional_Metadata=user:bob&ADDITIONAL_METADATA=kind:a'],
    ['an encoded name', '&additional%5Fmetadata=user:bob'],
  ])('a raw list with %s shows nothing of others', async (_, query) => {
    await using it_ = await scoped();
    const mine = await finished(it_.gate, MINE);
    await finished(it_.gate, { ...THEIRS, kind: 'a' });
    for (const path of ['workflow-runs', 'workflow-runs/external-ids']) {
      const response = await it_.gate.ask(`${TENANT}/${path}?since=2026-01-01T00:00:00Z&only_tasks=false${query}`);
      const body: unknown = await response.json();
      expect([200, 400]).toContain(response.status);
      expect([[], [mine]]).toContainEqual(idsIn(body));
    }
  });

  it('by filter, cancels and replays stay within it', async () => {
    await using it_ = await scoped();
    const { gate } = it_;
    const [mine, theirs] = await Promise.all([
      trigger(gate, { ...MINE, kind: 'a' }, 'wait'),
      trigger(gate, { ...THEIRS, kind: 'a' }, 'wait'),
    ]);
    await Promise.all([one(mine.details$), one(theirs.details$)]);
    const since = '2026-01-01T00:00:00Z';
    const cancel = async (filter: unknown) =>
      (await (await gate.ask(`${TENANT}/tasks/cancel`, json({ filter }))).json()) as { ids: string[] };
    // [hatchet] Several pairs mean OR.
    expect(await cancel({ since, additionalMetadata: ['kind:a', 'user:bob'] })).toEqual({ ids: [mine.id] });
    expect(await cancel({ since, additionalMetadata: ['user:bob'] })).toEqual({ ids: [] });
    expect(await cancel({ additionalMetadata: ['kind:a'] })).toEqual({ ids: [] });
    const { runs } = gate.client();
    await one(runs.bulkCancel({ filters: { additionalMetadata: { kind: 'a' } } }));
    expect(await one(theirs.status())).toBe('RUNNING');
    const replayed = await gate.ask(`${TENANT}/tasks/replay`, json({ filter: { since } }));
    expect(await replayed.json()).toEqual({ ids: [mine.id] });
  });

  it('triggers carry its pairs, whatever is sent along', async () => {
    await using it_ = await scoped();
    const { gate } = it_;
    const bodies = [
      { workflowName: 'quick', input: {} },
      { workflowName: 'quick', input: {}, additionalMetadata: { user: 'bob', own: 'x' } },
      { workflowName: 'quick', input: {}, additionalMetadata: {}, AdditionalMetadata: { user: 'bob' } },
      { workflowName: 'quick', input: {}, additionalmetadata: { user: 'bob' }, ADDITIONALMETADATA: { user: 'bob' } },
    ];
    for (const body of bodies) {
      const response = await gate.ask(`${TENANT}/workflow-runs/trigger`, json({ ...body, return_only_id: true }));
      const { run } = (await response.json()) as { run: { metadata: { id: string } } };
      const details = await eventually(() => one(gate.owner.runs.get(run.metadata.id)).catch(() => undefined));
      expect(details.run.additionalMetadata).toMatchObject({ user: 'ada' });
    }
    for (const { body } of gate.engine.requests.filter(({ operation }) => operation === 'trigger')) {
      expect(Object.keys(body as object).toSorted()).toEqual([
        'additionalMetadata',
        'input',
        'return_only_id',
        'workflowName',
      ]);
    }
    const ref = await one(gate.client().runs.trigger('quick', {}, { additionalMetadata: { user: 'bob', own: 'y' } }));
    expect(await one(ref.result$)).toEqual({ ok: true, n: 0 });
    expect((await one(ref.details$)).run.additionalMetadata).toMatchObject({ user: 'ada', own: 'y' });
  });

  it('timings leave out child runs that are outside of it', async () => {
    await using it_ = await scoped();
    const ref = await trigger(it_.gate, MINE, 'parent');
    await one(ref.result$);
    const { runs } = it_.gate.client();
    const withChildren = async (runId: string) =>
      (await one(it_.gate.owner.runs.getTimings(runId, { depth: 1 }))).length === 2;
    await eventually(() => withChildren(ref.id));
    expect(await one(runs.getTimings(ref.id, { depth: 1 }))).toHaveLength(2);

    it_.gate.engine.workflow('stranger', (_, ctx) => ctx.runChild('quick', {}, { additionalMetadata: THEIRS }));
    const other = await trigger(it_.gate, MINE, 'stranger');
    await one(other.result$);
    await eventually(() => withChildren(other.id));
    expect(await one(runs.getTimings(other.id, { depth: 1 }))).toHaveLength(1);
  });

  it('display names are those of runs within it', async () => {
    await using it_ = await scoped();
    const [mine, theirs] = await Promise.all([finished(it_.gate, MINE), finished(it_.gate, THEIRS)]);
    const ask = (...ids: string[]) =>
      it_.gate.ask(`${TENANT}/workflow-runs/display-names?${ids.map((id) => `external_ids=${id}`).join('&')}`);
    expect((await ask(mine)).status).toBe(200);
    expect((await ask(mine, theirs)).status).toBe(404);
  });

  it('is looked up once per run', async () => {
    await using it_ = await scoped();
    const id = await finished(it_.gate, MINE);
    const before = it_.gate.engine.requests.length;
    const { runs } = it_.gate.client();
    await Promise.all(Array.from({ length: 10 }, () => one(runs.getStatus(id))));
    const after = it_.gate.engine.requests.slice(before);
    expect(after.filter(({ operation }) => operation === 'getRun')).toHaveLength(1);
    expect(after.filter(({ operation }) => operation === 'getRunStatus')).toHaveLength(10);
  });
});
