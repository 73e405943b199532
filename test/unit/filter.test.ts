import * as fc from 'fast-check';
import { lastValueFrom, type Observable, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createHatchet, type RunFilter, type RunsClient } from 'hatchet-rx';
import { applyFilter } from '../../src/model/filter.ts';
import { KNOWN_STATUSES } from '../../src/model/status.ts';
import { errorOf, thrownBy } from './support/caught.ts';
import { type FakeTransport, json, scripted } from './support/fake-transport.ts';
import { jwt, RUN } from './support/jwt.ts';

const NOW = Date.UTC(2026, 10, 23, 20);
const DAY = 24 * 60 * 60 * 1_000;
const many = (n: number) => Array.from({ length: n }, () => RUN);
const pairs = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, index) => [`k${index}`, 'v']));

/** Filters that the server would answer with silence, everything, or an error of its own; CONTRACT 7 and 2. */
const traps: readonly (readonly [string, object, RegExp])[] = [
  ['an unknown status', { statuses: ['NOPE'] }, /NOPE.*QUEUED/],
  ['a status in lower case', { statuses: ['failed'] }, /failed/],
  ['statuses joined by a comma', { statuses: ['FAILED,CANCELLED'] }, /FAILED,CANCELLED/],
  ['an unknown status beside a known one', { statuses: ['FAILED', 'NOPE'] }, /NOPE/],
  ['a status read from a newer server', { statuses: ['UNKNOWN:PAUSED'] }, /UNKNOWN:PAUSED/],
  ['statuses that are no array', { statuses: 'FAILED' }, /statuses/],
  ['no statuses at all', { statuses: [] }, /statuses/],
  ['a metadata value that is a number', { additionalMetadata: { n: 5 } }, /additionalMetadata\.n/],
  ['a metadata value that is a boolean', { additionalMetadata: { b: true } }, /additionalMetadata\.b/],
  ['a metadata key with a colon', { additionalMetadata: { 'a:b': 'c' } }, /a:b/],
  ['an empty metadata key', { additionalMetadata: { '': 'c' } }, /additionalMetadata/],
  ['metadata as text', { additionalMetadata: 'k:v' }, /additionalMetadata/],
  ['metadata as a list', { additionalMetadata: ['k:v'] }, /additionalMetadata/],
  ['metadata as a Map', { additionalMetadata: new Map([['k', 'v']]) }, /additionalMetadata/],
  ['AND in lower case', { matchMetadata: 'and' }, /matchMetadata/],
  ['a worker among runs', { workerId: RUN, onlyTasks: false }, /workerId|onlyTasks/],
  ['a parent among tasks', { parentTaskExternalId: RUN, onlyTasks: true }, /parentTaskExternalId|onlyTasks/],
  ['a parent and a worker', { parentTaskExternalId: RUN, workerId: RUN }, /parentTaskExternalId|workerId/],
  ['an unknown runningFilter', { runningFilter: 'evicted' }, /runningFilter/],
  ['a name that no filter has', { status: ['FAILED'] }, /"status".*statuses/],
  ['a name of the wire', { workflow_ids: [RUN] }, /"workflow_ids"/],
  ['a name that every object has', { toString: 1 }, /"toString"/],
  ['a malformed workflow id', { workflowIds: ['abc'] }, /workflowIds.*abc/],
  ['no workflow ids at all', { workflowIds: [] }, /workflowIds/],
  ['no workflow names at all', { workflowNames: [] }, /workflowNames/],
  ['an empty workflow name', { workflowNames: [''] }, /workflowNames/],
  ['a malformed worker id', { workerId: 'abc' }, /workerId/],
  ['a malformed event id', { triggeringEventExternalId: '' }, /triggeringEventExternalId/],
  ['an invalid date', { since: new Date(Number.NaN) }, /since/],
  ['a date as text', { until: '2026-11-23' }, /until/],
  ['a window that ends before it begins', { since: new Date(NOW), until: new Date(NOW - 1) }, /since.*until/],
  ['onlyTasks as text', { onlyTasks: 'yes' }, /onlyTasks/],
  ['includePayloads as number', { includePayloads: 1 }, /includePayloads/],
  ['too many ids for one query', { workflowIds: many(10_001) }, /workflowIds/],
  [
    'too many values of several kinds for one query',
    { workflowIds: many(6_000), idempotencyKeys: many(6_000) },
    /10,?000|9,?900/,
  ],
  ['too many metadata pairs for one query', { additionalMetadata: pairs(10_001) }, /10,?000|9,?900/],
];

const operations: readonly (readonly [string, (runs: RunsClient, filter: RunFilter) => Observable<unknown>])[] = [
  ['list', (runs, filter) => runs.list(filter)],
  ['listPages', (runs, filter) => runs.listPages(filter)],
  ['listWithPagination', (runs, filter) => runs.listWithPagination(filter)],
  ['listIds', (runs, filter) => runs.listIds(filter)],
  ['bulkCancel', (runs, filters) => runs.bulkCancel({ filters: { since: new Date(0), ...filters } })],
  ['bulkReplay', (runs, filters) => runs.bulkReplay({ filters: { since: new Date(0), ...filters } })],
  ['bulkCancelByFiltersWithPagination', (runs, filter) => runs.bulkCancelByFiltersWithPagination(filter)],
  ['bulkReplayByFiltersWithPagination', (runs, filter) => runs.bulkReplayByFiltersWithPagination(filter)],
];

function client(): { runs: RunsClient; transport: FakeTransport } {
  const transport = scripted(json({ rows: [], pagination: {} }));
  return { runs: createHatchet({ token: jwt(), transport }).runs, transport };
}

describe.for(operations)('runs.%s', ([name, call]) => {
  it.for(traps)('refuses %s, and sends nothing', async ([, filter, message]) => {
    const { runs, transport } = client();
    const error = await errorOf(call(runs, filter));
    expect(error).toMatchObject({
      _tag: 'ConfigError',
      operation: `runs.${name}`,
      message: expect.stringMatching(message),
    });
    expect(transport.requests).toEqual([]);
  });

  it('throws nothing before it is subscribed', () => {
    const { runs, transport } = client();
    expect(() => call(runs, { statuses: [] })).not.toThrow();
    expect(transport.requests).toEqual([]);
  });
});

describe('paging options', () => {
  const wrong: readonly (readonly [string, (runs: RunsClient) => Observable<unknown>])[] = [
    ['limit', (runs) => runs.list({ limit: 0 })],
    ['limit', (runs) => runs.list({ limit: -1 })],
    ['limit', (runs) => runs.list({ limit: 2 ** 31 })],
    ['limit', (runs) => runs.list({ limit: Number.NaN })],
    ['offset', (runs) => runs.list({ offset: -1 })],
    ['offset', (runs) => runs.list({ offset: 0.5 })],
    ['pageSize', (runs) => runs.listPages({ pageSize: 0 })],
    ['pageSize', (runs) => runs.listWithPagination({ pageSize: 1.5 })],
    ['chunkSize', (runs) => runs.bulkCancelByFiltersWithPagination({ chunkSize: 0 })],
    ['sleepTime', (runs) => runs.bulkReplayByFiltersWithPagination({ sleepTime: -1 })],
    ['sleepTime', (runs) => runs.bulkReplayByFiltersWithPagination({ sleepTime: Number.NaN })],
  ];

  it.for(wrong)('%s', async ([name, call]) => {
    const { runs, transport } = client();
    expect(await errorOf(call(runs))).toMatchObject({ _tag: 'ConfigError', message: expect.stringContaining(name) });
    expect(transport.requests).toEqual([]);
  });
});

describe('a selection for bulkCancel and bulkReplay', () => {
  const empty: readonly (readonly [string, unknown])[] = [
    ['nothing', undefined],
    ['an empty object', {}],
    ['ids and filters', { ids: [RUN], filters: { statuses: ['RUNNING'] } }],
    ['no ids', { ids: [] }],
    ['ids as text', { ids: RUN }],
    ['a malformed id', { ids: [RUN, 'abc'] }],
    ['an empty filter', { filters: {} }],
    ['a filter of nothing but undefined', { filters: { statuses: undefined, since: undefined } }],
    ['a filter with empty metadata', { filters: { additionalMetadata: {} } }],
    [
      'a filter with empty metadata, to be matched in full',
      { filters: { additionalMetadata: {}, matchMetadata: 'all' } },
    ],
    ['a filter that only says what rows hold', { filters: { includePayloads: false } }],
    ['a filter as Map', { filters: new Map([['statuses', ['RUNNING']]]) }],
    ['a filter of tasks', { filters: { onlyTasks: true } }],
    ['a filter by worker', { filters: { workerId: RUN } }],
  ];

  it.for(empty)('%s is refused, and nothing is sent', async ([, selection]) => {
    for (const operation of ['bulkCancel', 'bulkReplay'] as const) {
      const { runs, transport } = client();
      const error = await errorOf(runs[operation](selection as { ids: string[] }));
      expect(error).toMatchObject({ _tag: 'ConfigError', operation: `runs.${operation}` });
      expect(transport.requests).toEqual([]);
    }
  });

  it('a filter with a window alone is a selection', async () => {
    const transport = scripted(json(null));
    const { runs } = createHatchet({ token: jwt(), transport });
    await lastValueFrom(runs.bulkCancel({ filters: { since: new Date(NOW) } }).pipe(toArray()));
    expect(transport.requests[0]?.path).toContain('statuses=RUNNING&statuses=QUEUED');
  });
});

describe('applyFilter', () => {
  const apply = (filter: RunFilter) => applyFilter('runs.test', filter, NOW);
  const status = fc.constantFrom(...KNOWN_STATUSES);
  const good: fc.Arbitrary<RunFilter> = fc.record(
    {
      statuses: fc.array(status, { minLength: 1 }),
      additionalMetadata: fc.dictionary(
        fc.string({ minLength: 1 }).filter((key) => !key.includes(':')),
        fc.string(),
      ),
      matchMetadata: fc.constantFrom('all' as const, 'any' as const),
      workflowIds: fc.array(fc.uuid(), { minLength: 1 }),
      workflowNames: fc.array(fc.string({ minLength: 1 }), { minLength: 1 }),
      triggeringEventExternalId: fc.uuid(),
      includePayloads: fc.boolean(),
      onlyTasks: fc.boolean(),
    },
    { requiredKeys: [] },
  );

  it('defaults: the last 24 hours, runs, all pairs, with payloads', () => {
    expect(apply({})).toEqual({
      since: new Date(NOW - DAY),
      onlyTasks: false,
      matchMetadata: 'all',
      includePayloads: true,
    });
  });

  it('without since, the 24 hours before until', () => {
    expect(apply({ until: new Date(NOW - DAY) }).since).toEqual(new Date(NOW - 2 * DAY));
  });

  it('a worker means tasks', () => {
    expect(apply({ workerId: RUN }).onlyTasks).toBe(true);
  });

  it('undefined means left out, and so does empty metadata', () => {
    expect(apply({ statuses: undefined, additionalMetadata: {}, until: undefined })).toEqual(apply({}));
  });

  it('what is right is applied as given', () => {
    fc.assert(
      fc.property(good, (filter) => {
        const applied = apply(filter);
        const { additionalMetadata = {}, ...rest } = filter;
        expect(applied).toMatchObject(rest);
        expect(applied.additionalMetadata ?? {}).toEqual(additionalMetadata);
      }),
    );
  });

  it('nothing but a ConfigError is thrown, whatever is given', () => {
    const name = fc.oneof(
      fc.constantFrom('since', 'until', 'statuses', 'additionalMetadata', 'workflowIds', 'onlyTasks', 'runningFilter'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.dictionary(name, fc.anything()), (filter) => {
        let applied: unknown;
        try {
          applied = apply(filter);
        } catch (error) {
          applied = error;
        }
        const tag = (applied as { _tag?: unknown })._tag ?? (applied as { matchMetadata?: unknown }).matchMetadata;
        expect(['ConfigError', 'all', 'any']).toContain(tag);
      }),
      { numRuns: 300 },
    );
  });

  it('a filter that is no object is refused', () => {
    for (const filter of [null, [], 'x']) {
      expect(thrownBy(() => apply(filter as unknown as RunFilter))).toMatchObject({ _tag: 'ConfigError' });
    }
  });
});
