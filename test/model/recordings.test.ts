import { describe, expect, it } from 'vitest';
import { readAnswer } from '../../src/http/answer.ts';
import type { RunRows, Rows } from '../../src/model/page.ts';
import type { V1TaskEvent, V1TaskSummary, V1WorkflowRunDetails } from '../../src/model/run.ts';
import { endpointOf } from './support/endpoint-of.ts';
import { bodyText, recording, type Recording, recordings } from './support/recordings.ts';

/** What the library never asks for, and why. */
const NOT_ASKED: Readonly<Record<string, string>> = {
  'display-names': 'rows carry their names',
  'dag-completed-run-task-events': 'details and tasks have the events',
  'single-completed-run-task-events': 'always empty',
  'durable-event-log': 'no operation',
  'task-point-metrics': 'no operation',
  'tenant-logs': 'logs are read per task',
};

const successes = recordings.filter(({ status }) => status < 300);

function read({ name, request, status, headers, ...rest }: Recording): unknown {
  const found = endpointOf(request.method, request.path);
  if (found === undefined) throw new Error(`no endpoint for ${request.method} ${request.path} (${name})`);
  const context = {
    operation: found.endpoint.operation,
    method: request.method,
    path: request.path,
    attempts: 1,
    runId: found.endpoint.runId,
    secrets: () => [],
  };
  return readAnswer(
    { status, headers, body: bodyText({ name, request, status, headers, ...rest }) },
    found.endpoint.read,
    context,
    0,
  );
}

const rowsOf = (body: unknown) => (body as { readonly rows?: readonly unknown[] } | null)?.rows;

/** Every value inside a value. */
function* parts(value: unknown): Generator {
  yield value;
  if (value instanceof Date || typeof value !== 'object' || value === null) return;
  for (const part of Object.values(value)) yield* parts(part);
}

describe('recordings of a real server', () => {
  it('are there, and those of requests that are never sent are known', () => {
    expect(successes.length).toBeGreaterThan(130);
    const unknown = successes.filter(({ request }) => endpointOf(request.method, request.path) === undefined);
    expect(unknown.map(({ name }) => name).sort()).toEqual(Object.keys(NOT_ASKED).sort());
  });

  describe('every successful answer is read', () => {
    const known = successes.filter(({ name }) => !(name in NOT_ASKED));

    it.for(known.map((each) => [each.name, each] as const))('%s', ([, each]) => {
      const value = read(each);
      expect(value).toBeDefined();
      expect(value).not.toBeNull();
      const zeroDates = [...parts(value)].filter((part) => part instanceof Date && part.getUTCFullYear() < 2000);
      expect(zeroDates).toEqual([]);
    });

    it.for(known.filter(({ body }) => rowsOf(body) !== undefined).map((each) => [each.name, each] as const))(
      '%s: no row is refused, and none is lost',
      ([, each]) => {
        const { rows, rejected } = read(each) as Rows<unknown>;
        expect(rejected).toEqual([]);
        expect(rows).toHaveLength(rowsOf(each.body)?.length ?? -1);
      },
    );

    it.for(known.filter(({ body }) => body === null).map((each) => [each.name, each] as const))(
      '%s: null is an empty list',
      ([, each]) => {
        expect(read(each)).toEqual([]);
      },
    );
  });

  it.for(['single-completed', 'dag-completed', 'dag-running', 'single-failed', 'single-queued'])(
    '%s: details, status and row agree',
    (name) => {
      const details = read(recording(`${name}-details`)) as V1WorkflowRunDetails;
      expect(details.run.status).toBe(read(recording(`${name}-status`)));
      const [row] = (read(recording(`${name}-list-row`)) as RunRows).rows;
      expect(row?.metadata).toEqual(details.run.metadata);
      expect(row?.status).toBe(details.run.status);
    },
  );

  it('a page has a key for each row, with all digits of its time', () => {
    const { rows, keys } = read(recording('list-metadata-one')) as RunRows;
    expect(keys.map(({ id }) => id)).toEqual(rows.map(({ metadata }) => metadata.id));
    expect(keys.length).toBeGreaterThan(0);
    for (const { createdAt } of keys) expect(createdAt).toMatch(/\.\d{4,6}Z$/);
  });

  it('an unfinished run has no end and no duration, a cancelled one that never began no start', () => {
    const running = read(recording('single-running-details')) as V1WorkflowRunDetails;
    expect(running.run).not.toHaveProperty('finishedAt');
    expect(running.run).not.toHaveProperty('duration');
    expect(running.run.startedAt).toEqual(new Date('2026-11-23T20:23:37.882Z'));
    const cancelled = read(recording('single-cancelled-queued-details')) as V1WorkflowRunDetails;
    expect(cancelled.run).not.toHaveProperty('startedAt');
    expect(cancelled.run).not.toHaveProperty('duration');
    const failed = read(recording('retry-failed-between-attempts-details')) as V1WorkflowRunDetails;
    expect(failed.run).not.toHaveProperty('duration');
    expect(failed.tasks[0]).toHaveProperty('duration', 13);
  });

  it("a task's zero creation time is absent, its metadata's real one stays", () => {
    const task = read(recording('single-completed-task')) as V1TaskSummary;
    expect(task).not.toHaveProperty('createdAt');
    expect(task.metadata.createdAt.getUTCFullYear()).toBe(2026);
  });

  it('the stub of a trigger gives its id, whatever else it holds', () => {
    expect(read(recording('trigger-return-only-id'))).toBe('4a9a7eca-dcac-48cd-bbaf-93b79b1cf9af');
    expect(read(recording('trigger-blocking'))).toBe(
      (recording('trigger-blocking').body as V1WorkflowRunDetails).run.metadata.id,
    );
  });

  it('children of a DAG are rows as well', () => {
    const [row] = (read(recording('dag-completed-list-row')) as RunRows).rows;
    expect(row?.children?.map(({ status }) => status)).toEqual(['COMPLETED', 'COMPLETED', 'COMPLETED']);
    for (const child of row?.children ?? []) expect(child.metadata.createdAt).toBeInstanceOf(Date);
  });

  it('the history of a retried task is read with its counts', () => {
    const { rows } = read(recording('retry-task-events')) as Rows<V1TaskEvent>;
    expect(rows.find(({ eventType }) => eventType === 'RETRYING')?.retryCount).toBe(1);
    expect(rows.find(({ eventType }) => eventType === 'FAILED')?.retryCount).toBe(0);
  });

  it('text of every script arrives as it was', () => {
    const details = read(recording('unicode-details')) as V1WorkflowRunDetails;
    const wire = recording('unicode-details').body as V1WorkflowRunDetails;
    expect(details.run.output).toEqual(wire.run.output);
    // oxlint-disable-next-line no-control-regex -- any character beyond ASCII
    expect(JSON.stringify(details.run.output)).toMatch(/[^\u0000-\u007f]/);
  });

  it('reading does not change the document', () => {
    const before = structuredClone(recording('dag-completed-details').body);
    read(recording('dag-completed-details'));
    expect(recording('dag-completed-details').body).toEqual(before);
  });
});
