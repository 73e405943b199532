import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Engine, startEngine } from '../../src/testing/index.ts';
import { faultyClient } from '../support/faulty-client.ts';
import { all, errorWithTag, one } from '../support/observe.ts';
import { registerWorkflows } from '../support/workflows.ts';

let engine: Engine;
let ids: string[];

beforeAll(async () => {
  engine = await startEngine();
  registerWorkflows(engine);
  ids = engine.seedRuns({ count: 25, workflow: 'contract-quick', additionalMetadata: { rows: 'yes' }, tie: 3 });
});

afterAll(() => engine.close());

const filter = { additionalMetadata: { rows: 'yes' } };
const sorted = (some: readonly string[]) => [...some].sort();
const idsIn = (rows: readonly { readonly metadata: { readonly id: string } }[]) =>
  rows.map(({ metadata }) => metadata.id);

interface Answer {
  rows: { metadata: { id: string }; status?: unknown }[];
}

describe('rows that cannot be read', () => {
  test('are told beside the good ones', async () => {
    await using client = faultyClient(engine);
    client.fault({
      kind: 'transform',
      match: { operation: 'listRuns' },
      transform: (answer: Answer) => ({
        ...answer,
        rows: answer.rows.map((row, index) => (index === 2 ? { ...row, status: 5 } : row)),
      }),
    });
    const page = await one(client.runs.list({ ...filter, limit: 10 }));
    expect(page.rows).toHaveLength(9);
    expect(page.rejected).toHaveLength(1);
    expect(page.rejected[0]?.reason).toContain('status');
    expect(client.told.filter(({ type }) => type === 'rejected')).toHaveLength(1);
  });

  test('do not end a sweep: all the others come, once', async () => {
    await using client = faultyClient(engine);
    const bad = ids[7] ?? '';
    client.fault({
      kind: 'transform',
      match: { operation: 'listRuns' },
      transform: (answer: Answer) => ({
        ...answer,
        rows: answer.rows.map((row) => (row.metadata.id === bad ? { ...row, status: null } : row)),
      }),
    });
    const rows = await all(client.runs.listWithPagination({ ...filter, pageSize: 6 }));
    expect(sorted(idsIn(rows))).toEqual(sorted(ids.filter((id) => id !== bad)));
    expect(client.told.some(({ type }) => type === 'rejected')).toBe(true);
  });

  test('a page of nothing else ends it with a DecodeError', async () => {
    await using client = faultyClient(engine);
    client.fault({
      kind: 'transform',
      match: { operation: 'listRuns' },
      transform: (answer: Answer) => ({ ...answer, rows: answer.rows.map(() => ({ no: 'row' })) }),
    });
    const error = await errorWithTag('DecodeError', client.runs.listWithPagination({ ...filter, pageSize: 6 }));
    expect(error).toMatchObject({ operation: 'runs.listWithPagination', path: 'rows' });
  });

  test('a list without rows is an empty one', async () => {
    await using client = faultyClient(engine);
    client.fault({
      kind: 'transform',
      match: { operation: 'listRuns' },
      transform: () => ({ rows: null, pagination: null }),
    });
    expect((await one(client.runs.list(filter))).rows).toEqual([]);
    expect(await all(client.runs.listWithPagination(filter))).toEqual([]);
  });
});
