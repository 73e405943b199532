import { describe, expect, it } from 'vitest';
import { readLogLine, readMetric, readTiming } from '../../src/model/activity.ts';
import { readRunRows, rowsOf } from '../../src/model/page.ts';
import { attempt, Mismatch } from '../../src/model/reader.ts';
import { readRunDetails, readTaskEvent, readTaskSummary, readTriggeredId } from '../../src/model/run.ts';
import { recording } from './support/recordings.ts';

const ZERO = '0001-01-01T00:00:00Z';
const ID = '44934b9f-1548-4756-b5be-7c64f1947748';
const row = { metadata: { id: ID, createdAt: '2026-11-23T20:26:11.629885Z' }, status: 'RUNNING' };
const details = { run: row };

/** Where a document differs. */
function mismatch(result: unknown): { path: string; expected: string } {
  if (!(result instanceof Mismatch)) throw new Error('it was read');
  return { path: result.path.join('.'), expected: result.expected };
}

describe('times', () => {
  it.for(['createdAt', 'startedAt', 'finishedAt', 'taskInsertedAt'] as const)(
    'a zero, absent, empty or unreadable %s is absent',
    (field) => {
      for (const value of [ZERO, '0001-01-01T00:00:00.000Z', undefined, null, '', 'soon', 3]) {
        expect(readTaskSummary({ ...row, [field]: value })).not.toHaveProperty(field);
      }
    },
  );

  it.for([
    ['2026-11-23T20:26:11Z', 0],
    ['2026-11-23T20:26:11.6Z', 600],
    ['2026-11-23T20:26:11.62988Z', 629],
    ['2026-11-23T20:26:11.629885Z', 629],
    ['2026-11-23T20:26:11.629885262Z', 629],
    ['2026-11-23T21:26:11.629+01:00', 629],
  ] as const)('%s is read, to the millisecond', ([text, ms]) => {
    expect(readTaskSummary({ ...row, startedAt: text }).startedAt).toEqual(
      new Date(Date.UTC(2026, 10, 23, 20, 26, 11, ms)),
    );
  });

  it('a run without a creation time is refused', () => {
    const result = attempt(readTaskSummary, { ...row, metadata: { id: ID, createdAt: ZERO } });
    expect(mismatch(result)).toEqual({ path: 'metadata.createdAt', expected: 'an RFC 3339 date' });
  });
});

describe('durations', () => {
  it.for([-9_223_372_036_854, 9_223_372_036_854, -2, -1, Number.NaN, '12', null, undefined])(
    '%s is nonsense, and absent',
    (duration) => {
      expect(readTaskSummary({ ...row, duration })).not.toHaveProperty('duration');
      expect(readRunDetails({ run: { ...row, duration } }).run).not.toHaveProperty('duration');
    },
  );

  it.for([0, 13, 2_601, 86_400_000])('%s stays', (duration) => {
    expect(readTaskSummary({ ...row, duration }).duration).toBe(duration);
  });
});

describe('absent and null parts', () => {
  it('null arrays of details are empty', () => {
    expect(readRunDetails({ ...details, shape: null, tasks: null, taskEvents: null })).toMatchObject({
      shape: [],
      tasks: [],
      taskEvents: [],
    });
  });

  it('absent payloads and metadata are empty objects', () => {
    expect(readTaskSummary({ ...row, input: null })).toMatchObject({ input: {}, output: {}, additionalMetadata: {} });
  });

  it('null rows are none, and a missing pagination is empty', () => {
    expect(rowsOf(readTaskEvent)({ rows: null })).toEqual({ rows: [], rejected: [], pagination: {} });
    expect(readRunRows({})).toEqual({ rows: [], rejected: [], pagination: {}, keys: [] });
  });

  it('an absent or broken workflowConfig is absent; broken tasks in it are left out', () => {
    expect(readRunDetails({ ...details, workflowConfig: null })).not.toHaveProperty('workflowConfig');
    expect(readRunDetails({ ...details, workflowConfig: 'x' })).not.toHaveProperty('workflowConfig');
    const config = { Name: 'w', Tasks: [{ ReadableId: 'a', Retries: 2 }, { Retries: 1 }, null, { ReadableId: 'b' }] };
    expect(readRunDetails({ ...details, workflowConfig: config }).workflowConfig?.Tasks).toEqual([
      { ReadableId: 'a', Retries: 2 },
      { ReadableId: 'b', Retries: 0 },
    ]);
  });

  it('unknown fields pass, at every level', () => {
    expect(readTaskSummary({ ...row, brandNew: { a: 1 } })).toHaveProperty('brandNew', { a: 1 });
    expect(readRunDetails({ run: { ...row, brandNew: 1 }, alsoNew: 2 })).toMatchObject({
      run: { brandNew: 1 },
      alsoNew: 2,
    });
  });

  it('an unknown status of a row keeps its text', () => {
    expect(readTaskSummary({ ...row, status: 'PAUSED' }).status).toBe('UNKNOWN:PAUSED');
  });

  it('one unreadable event does not spoil the details', () => {
    const good = { id: 1, taskId: ID, timestamp: '2026-11-23T20:26:11Z', eventType: 'STARTED', message: '' };
    const read = readRunDetails({ ...details, taskEvents: [good, { ...good, timestamp: ZERO }, null] });
    expect(read.taskEvents.map(({ eventType }) => eventType)).toEqual(['STARTED']);
  });
});

describe('what is relied on is checked, and its place told', () => {
  it.for([
    [readTaskSummary, { ...row, metadata: undefined }, 'metadata', 'an object'],
    [readTaskSummary, { ...row, metadata: { ...row.metadata, id: 7 } }, 'metadata.id', 'a string'],
    [readTaskSummary, { ...row, status: null }, 'status', 'a status'],
    [readTaskSummary, { ...row, children: [row, { ...row, status: 1 }] }, 'children.1.status', 'a status'],
    [readTaskSummary, { ...row, children: {} }, 'children', 'an array'],
    [readRunDetails, { run: { ...row, status: 5 } }, 'run.status', 'a status'],
    [readRunDetails, { ...details, tasks: [row, 'x'] }, 'tasks.1', 'an object'],
    [
      readRunDetails,
      { ...details, shape: [{ stepId: 's', taskExternalId: 't', childrenStepIds: [1] }] },
      'shape.0.childrenStepIds.0',
      'a string',
    ],
    [readRunDetails, [], '', 'an object'],
    [readTriggeredId, { run: { metadata: {} } }, 'run.metadata.id', 'a string'],
    [readTaskEvent, { eventType: 'X' }, 'timestamp', 'an RFC 3339 date'],
    [readLogLine, { message: 'x' }, 'createdAt', 'an RFC 3339 date'],
    [readTiming, { status: 'RUNNING' }, 'taskExternalId', 'a string'],
    [readMetric, { count: 1 }, 'status', 'a status'],
    [readRunRows, null, '', 'a list'],
    [readRunRows, { rows: {} }, '', 'an array of rows'],
  ] as const)('%s %j: %s is not %s', ([read, value, path, expected]) => {
    expect(mismatch(attempt<unknown>(read, value))).toEqual({ path, expected });
  });
});

describe('a page with bad rows', () => {
  const wire = recording('list-metadata-one').body as { readonly rows: readonly Record<string, unknown>[] };
  const bad = { ...wire.rows[0], status: 5 };

  it('sets them aside, and gives the good ones with the keys of all', () => {
    const { rows, rejected, keys } = readRunRows({ ...wire, rows: [bad, ...wire.rows, 'x'] });
    expect(rows).toHaveLength(wire.rows.length);
    expect(rejected).toEqual([
      { index: 0, reason: 'status is not a status', row: bad },
      { index: wire.rows.length + 1, reason: 'the row is not an object', row: 'x' },
    ]);
    expect(keys).toHaveLength(wire.rows.length + 1);
  });

  it('a row without any key is only set aside', () => {
    const { rows, rejected, keys } = readRunRows({ rows: [{ status: 'RUNNING' }, { metadata: { id: ID } }] });
    expect({ rows, keys }).toEqual({ rows: [], keys: [] });
    expect(rejected.map(({ reason }) => reason)).toEqual([
      'metadata is not an object',
      'metadata.createdAt is not an RFC 3339 date',
    ]);
  });
});
