import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { queryOf } from '../../src/http/endpoint.ts';
import {
  cancelRuns,
  listRuns,
  replayRuns,
  runIds,
  taskEvents,
  taskMetrics,
  trigger,
} from '../../src/http/endpoints.ts';
import { applyFilter, type RunFilter } from '../../src/model/filter.ts';
import { RUN, TENANT } from './support/jwt.ts';

const NOW = Date.UTC(2026, 10, 23, 20);
const applied = (filter: RunFilter) => applyFilter('op', filter, NOW);
const page = { until: undefined, limit: 50, offset: 0 };
const listQuery = (filter: RunFilter) => new URLSearchParams(listRuns('op', applied(filter), page).query);

describe('queryOf', () => {
  it('is read by others as it was meant', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.integer(),
      fc.boolean(),
      fc.array(fc.string({ unit: 'binary' })),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.stringMatching(/^[a-z_]+$/), value), (parameters) => {
        const read = new URLSearchParams(queryOf(parameters));
        const wanted = Object.entries(parameters).map(([name, given]) => [
          name,
          Array.isArray(given) ? given : [String(given)],
        ]);
        expect(Object.entries(parameters).map(([name]) => [name, read.getAll(name)])).toEqual(wanted);
      }),
    );
  });

  it('without parameters there is none', () => {
    expect(queryOf({ a: undefined, b: [] })).toBe('');
  });
});

describe('a list of runs on the wire', () => {
  it('always has a window, the kind of rows and the payloads: their defaults on the server are others', () => {
    expect(Object.fromEntries(listQuery({}))).toEqual({
      since: new Date(NOW - 86_400_000).toISOString(),
      only_tasks: 'false',
      limit: '50',
      additional_metadata_operator: 'AND',
      include_payloads: 'true',
    });
  });

  it('repeats lists, and writes metadata as pairs', () => {
    const query = listQuery({ statuses: ['FAILED', 'CANCELLED'], additionalMetadata: { a: 'x:y', b: '1 & 2' } });
    expect(query.getAll('statuses')).toEqual(['FAILED', 'CANCELLED']);
    expect(query.getAll('additional_metadata')).toEqual(['a:x:y', 'b:1 & 2']);
  });

  it('AND and OR are in capitals', () => {
    expect(listQuery({ matchMetadata: 'all' }).get('additional_metadata_operator')).toBe('AND');
    expect(listQuery({ matchMetadata: 'any' }).get('additional_metadata_operator')).toBe('OR');
  });

  it('a cursor’s time goes out with all its digits', () => {
    const until = '2026-11-23T20:26:11.629885Z';
    expect(new URLSearchParams(listRuns('op', applied({}), { ...page, until }).query).get('until')).toBe(until);
  });

  it('every other filter has its name', () => {
    const query = listQuery({
      workerId: RUN,
      triggeringEventExternalId: TENANT,
      runningFilter: 'EVICTED',
      idempotencyKeys: ['k'],
      workflowIds: [RUN],
      includePayloads: false,
    });
    expect(Object.fromEntries(query)).toMatchObject({
      only_tasks: 'true',
      worker_id: RUN,
      triggering_event_external_id: TENANT,
      running_filter: 'EVICTED',
      idempotency_keys: 'k',
      workflow_ids: RUN,
      include_payloads: 'false',
    });
    expect(listQuery({ parentTaskExternalId: RUN }).get('parent_task_external_id')).toBe(RUN);
  });
});

describe('other requests on the wire', () => {
  it('the list of ids excludes its since, so it begins a microsecond earlier', () => {
    const since = new Date('2026-11-23T20:26:11.630Z');
    expect(new URLSearchParams(runIds('op', { since }).query).get('since')).toBe('2026-11-23T20:26:11.629999Z');
    expect(new URLSearchParams(runIds('op', { since: new Date(0) }).query).get('since')).toBe(
      '1969-12-31T23:59:59.999999Z',
    );
  });

  it('metrics include theirs', () => {
    const since = new Date('2026-11-23T20:26:11.630Z');
    expect(new URLSearchParams(taskMetrics('op', { since }).query).get('since')).toBe(since.toISOString());
  });

  it('a trigger asks for the id only, in the body, and is not repeatable', () => {
    const endpoint = trigger('op', { workflowName: 'w', input: { a: 1 }, additionalMetadata: { k: 'v' }, priority: 2 });
    expect(endpoint).toMatchObject({
      body: { workflowName: 'w', input: { a: 1 }, additionalMetadata: { k: 'v' }, priority: 2, return_only_id: true },
      repeatable: false,
    });
    expect(endpoint.query).toBeUndefined();
  });

  it('cancel and replay name their runs; only a cancel may be repeated', () => {
    expect(cancelRuns('op', [RUN])).toMatchObject({ body: { externalIds: [RUN] }, repeatable: true });
    expect(replayRuns('op', [RUN])).toMatchObject({ body: { externalIds: [RUN] }, repeatable: false });
  });

  it('a history is asked for with a limit', () => {
    expect(taskEvents('op', RUN, { limit: 5, offset: 0 }).query).toBe('?limit=5&offset=0');
  });
});
