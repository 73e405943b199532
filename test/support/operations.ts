import { concatMap, type Observable } from 'rxjs';
import type { RunsClient } from '../../src/index.ts';
import type { Operation } from '../../src/testing/index.ts';

/** Ids of runs that the operations of the table are about; all have ended but `running`. */
export interface KnownRuns {
  readonly completed: string;
  /** A completed run, to be replayed. */
  readonly replayable: string;
  /** A run of a durable task. */
  readonly durable: string;
  /** The only pair of metadata that all of them carry. */
  readonly tag: Readonly<Record<string, string>>;
}

/** One of the client's operations, and which requests of it are to fail. */
export interface TableRow {
  readonly name: string;
  readonly requests: Operation;
  readonly call: (runs: RunsClient, known: KnownRuns) => Observable<unknown>;
}

/** Operations whose every request may be repeated. */
export const REPEATABLE: readonly TableRow[] = [
  { name: 'get', requests: 'getRun', call: (runs, { completed }) => runs.get(completed) },
  { name: 'getStatus', requests: 'getRunStatus', call: (runs, { completed }) => runs.getStatus(completed) },
  { name: 'getTaskRun', requests: 'getTask', call: (runs, { completed }) => runs.getTaskRun(completed) },
  { name: 'getResult: the status', requests: 'getRunStatus', call: (runs, { completed }) => runs.getResult(completed) },
  { name: 'getResult: the details', requests: 'getRun', call: (runs, { completed }) => runs.getResult(completed) },
  { name: 'ref.status', requests: 'getRunStatus', call: (runs, { completed }) => runs.getRunRef(completed).status() },
  { name: 'ref.result', requests: 'getRun', call: (runs, { completed }) => runs.getRunRef(completed).result() },
  { name: 'ref.details$', requests: 'getRun', call: (runs, { completed }) => runs.getRunRef(completed).details$ },
  { name: 'list', requests: 'listRuns', call: (runs, { tag }) => runs.list({ additionalMetadata: tag }) },
  {
    name: 'list: the names',
    requests: 'listWorkflows',
    call: (runs, { tag }) => runs.list({ additionalMetadata: tag, workflowNames: ['contract-quick'] }),
  },
  { name: 'listPages', requests: 'listRuns', call: (runs, { tag }) => runs.listPages({ additionalMetadata: tag }) },
  {
    name: 'listWithPagination',
    requests: 'listRuns',
    call: (runs, { tag }) => runs.listWithPagination({ additionalMetadata: tag, pageSize: 2 }),
  },
  { name: 'listIds', requests: 'listExternalIds', call: (runs, { tag }) => runs.listIds({ additionalMetadata: tag }) },
  { name: 'getTaskEvents', requests: 'listTaskEvents', call: (runs, { completed }) => runs.getTaskEvents(completed) },
  { name: 'getTaskLogs', requests: 'listTaskLogs', call: (runs, { completed }) => runs.getTaskLogs(completed) },
  { name: 'getTimings', requests: 'getTaskTimings', call: (runs, { completed }) => runs.getTimings(completed) },
  { name: 'getMetrics', requests: 'getTaskMetrics', call: (runs) => runs.getMetrics() },
  { name: 'restoreTask', requests: 'restoreTask', call: (runs, { completed }) => runs.restoreTask(completed) },
  { name: 'cancel', requests: 'cancel', call: (runs, { completed }) => runs.cancel(completed) },
  { name: 'ref.cancel', requests: 'cancel', call: (runs, { completed }) => runs.getRunRef(completed).cancel() },
  { name: 'bulkCancel', requests: 'cancel', call: (runs, { completed }) => runs.bulkCancel({ ids: [completed] }) },
  {
    name: 'bulkCancel: the ids',
    requests: 'listExternalIds',
    call: (runs, { tag }) => runs.bulkCancel({ filters: { additionalMetadata: tag, statuses: ['COMPLETED'] } }),
  },
  {
    name: 'bulkReplay: the attempts',
    requests: 'getTaskTimings',
    call: (runs, { replayable }) => runs.bulkReplay({ ids: [replayable] }),
  },
  { name: 'replay: the attempts', requests: 'getTaskTimings', call: (runs, { replayable }) => runs.replay(replayable) },
  {
    name: 'bulkCancelByFiltersWithPagination: the ids',
    requests: 'listExternalIds',
    call: (runs, { tag }) => runs.bulkCancelByFiltersWithPagination({ additionalMetadata: tag }),
  },
  {
    name: 'bulkReplayByFiltersWithPagination: the ids',
    requests: 'listExternalIds',
    call: (runs, { tag }) => runs.bulkReplayByFiltersWithPagination({ additionalMetadata: tag }),
  },
  {
    name: 'create: the details',
    requests: 'getRun',
    call: (runs) => runs.create('contract-quick', {}),
  },
];

/** Operations that wait: a look that fails is followed by another one. */
export const WAITING: readonly TableRow[] = [
  { name: 'status$', requests: 'getRunStatus', call: (runs, { completed }) => runs.getRunRef(completed).status$ },
  {
    name: 'result$: the status',
    requests: 'getRunStatus',
    call: (runs, { completed }) => runs.getRunRef(completed).result$,
  },
  {
    name: 'result$: the details',
    requests: 'getRun',
    call: (runs, { completed }) => runs.getRunRef(completed).result$,
  },
  {
    name: 'the result$ of a trigger',
    requests: 'getRunStatus',
    call: (runs) => runs.trigger('contract-quick', {}).pipe(concatMap(({ result$ }) => result$)),
  },
];

/** Operations that send a POST which must not be repeated. */
export const TRIGGERING: readonly TableRow[] = [
  {
    name: 'trigger',
    requests: 'trigger',
    call: (runs, { tag }) => runs.trigger('contract-quick', {}, { additionalMetadata: tag }),
  },
  {
    name: 'create',
    requests: 'trigger',
    call: (runs, { tag }) => runs.create('contract-quick', {}, { additionalMetadata: tag }),
  },
];

export const BRANCHING: TableRow = {
  name: 'branchDurableTask',
  requests: 'branchDurableTask',
  call: (runs, { durable }) => runs.branchDurableTask({ taskExternalId: durable, nodeId: 1, branchId: 1 }),
};

/** Every operation of the client and of a ref, whatever it needs. */
export const EVERYTHING: readonly TableRow[] = [...REPEATABLE, ...WAITING, ...TRIGGERING, BRANCHING];
