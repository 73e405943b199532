import {
  readBranch,
  readLogLine,
  readMetric,
  readTiming,
  type V1BranchDurableTaskResponse,
  type V1LogLine,
  type V1TaskRunMetric,
  type V1TaskTiming,
} from '../model/activity.ts';
import type { AppliedFilter } from '../model/filter.ts';
import { readRunRows, type Rows, rowsOf, type RunRows } from '../model/page.ts';
import { arrayOf, objectOf, type Reader, text, textOrEmpty } from '../model/reader.ts';
import {
  readRunDetails,
  readTaskEvent,
  readTaskSummary,
  readTriggeredId,
  type V1TaskEvent,
  type V1TaskSummary,
  type V1WorkflowRunDetails,
} from '../model/run.ts';
import { readStatus, type V1TaskStatus } from '../model/status.ts';
import { type Endpoint, queryOf } from './endpoint.ts';

/** The paths of runs and tasks. */
const STABLE = '/api/v1/stable';

const ofTenant = (rest: string) => (tenantId: string) => `${STABLE}/tenants/${tenantId}${rest}`;

/** Everything about one run. */
export const runDetails = (operation: string, runId: string): Endpoint<V1WorkflowRunDetails> => ({
  operation,
  method: 'GET',
  path: () => `${STABLE}/workflow-runs/${runId}`,
  read: readRunDetails,
  repeatable: true,
  runId,
});

/** A run's status; the cheapest look. */
export const runStatus = (operation: string, runId: string): Endpoint<V1TaskStatus> => ({
  operation,
  method: 'GET',
  path: () => `${STABLE}/workflow-runs/${runId}/status`,
  read: readStatus,
  repeatable: true,
  runId,
});

/** One task, with its plain input. [hatchet] The id of a DAG's run is 404 here, that of a single-task run is not. */
export const taskRun = (operation: string, taskRunId: string): Endpoint<V1TaskSummary> => ({
  operation,
  method: 'GET',
  path: () => `${STABLE}/tasks/${taskRunId}`,
  read: readTaskSummary,
  repeatable: true,
  runId: taskRunId,
});

/** Attempts, statuses and times of a run's tasks, without payloads. */
export const runTimings = (operation: string, runId: string, depth: number): Endpoint<Rows<V1TaskTiming>> => ({
  operation,
  method: 'GET',
  path: () => `${STABLE}/workflow-runs/${runId}/task-timings`,
  query: queryOf({ depth }),
  read: rowsOf(readTiming),
  repeatable: true,
  runId,
});

/** A task's history, newest first. [hatchet] Without a limit there are no rows. */
export const taskEvents = (
  operation: string,
  taskRunId: string,
  page: { readonly limit: number; readonly offset: number },
): Endpoint<Rows<V1TaskEvent>> => ({
  operation,
  method: 'GET',
  path: () => `${STABLE}/tasks/${taskRunId}/task-events`,
  query: queryOf({ ...page }),
  read: rowsOf(readTaskEvent),
  repeatable: true,
  runId: taskRunId,
});

/** What a task logged. */
export const taskLogs = (
  operation: string,
  taskRunId: string,
  parameters: Parameters<typeof queryOf>[0],
): Endpoint<Rows<V1LogLine>> => ({
  operation,
  method: 'GET',
  path: () => `${STABLE}/tasks/${taskRunId}/logs`,
  query: queryOf(parameters),
  read: rowsOf(readLogLine),
  repeatable: true,
  runId: taskRunId,
});

/** Where a page begins and how long it is; `until` as the server sent it, to the microsecond. */
export interface PageWindow {
  readonly until: string | undefined;
  readonly limit: number;
  readonly offset: number;
}

/** One page of runs, newest first. */
export const listRuns = (operation: string, filter: AppliedFilter, page: PageWindow): Endpoint<RunRows> => ({
  operation,
  method: 'GET',
  path: ofTenant('/workflow-runs'),
  query: queryOf({
    since: filter.since.toISOString(),
    until: page.until,
    only_tasks: filter.onlyTasks,
    limit: page.limit,
    offset: page.offset === 0 ? undefined : page.offset,
    statuses: filter.statuses,
    workflow_ids: filter.workflowIds,
    additional_metadata: metadataPairs(filter.additionalMetadata),
    // [hatchet] Upper case only; anything else means OR.
    additional_metadata_operator: filter.matchMetadata === 'all' ? 'AND' : 'OR',
    worker_id: filter.workerId,
    parent_task_external_id: filter.parentTaskExternalId,
    triggering_event_external_id: filter.triggeringEventExternalId,
    include_payloads: filter.includePayloads,
    running_filter: filter.runningFilter,
    idempotency_keys: filter.idempotencyKeys,
  }),
  read: readRunRows,
  repeatable: true,
});

/** What the list of ids can be asked for. [hatchet] No paging, no order, several metadata pairs always mean OR. */
export interface IdsFilter {
  readonly since: Date;
  readonly until?: Date | undefined;
  readonly statuses?: readonly V1TaskStatus[] | undefined;
  readonly workflowIds?: readonly string[] | undefined;
  readonly additionalMetadata?: Readonly<Record<string, string>> | undefined;
  readonly runningFilter?: string | undefined;
}

/** The ids of all runs of a window, in one answer. */
export const runIds = (operation: string, filter: IdsFilter): Endpoint<string[]> => ({
  operation,
  method: 'GET',
  path: ofTenant('/workflow-runs/external-ids'),
  query: queryOf({
    since: justBefore(filter.since),
    until: filter.until?.toISOString(),
    statuses: filter.statuses,
    workflow_ids: filter.workflowIds,
    additional_metadata: metadataPairs(filter.additionalMetadata),
    running_filter: filter.runningFilter,
  }),
  read: arrayOf(text),
  repeatable: true,
});

/** A registered workflow. */
export interface NamedWorkflow {
  readonly metadata: { readonly id: string };
  readonly name: string;
}

/** Workflows whose name contains `name`. */
export const workflows = (
  operation: string,
  name: string,
  offset: number,
  limit: number,
): Endpoint<Rows<NamedWorkflow>> => ({
  operation,
  method: 'GET',
  path: (tenantId) => `/api/v1/tenants/${tenantId}/workflows`,
  query: queryOf({ name, limit, offset }),
  read: rowsOf(objectOf<NamedWorkflow>({ name: textOrEmpty, metadata: objectOf({ id: text }) })),
  repeatable: true,
});

/** What a trigger sends. */
export interface TriggerBody {
  readonly workflowName: string;
  readonly input: object;
  readonly additionalMetadata: Readonly<Record<string, string>>;
  readonly priority?: number | undefined;
}

/** Triggers a run and answers with its id at once. Never repeated: each request is a run. */
export const trigger = (operation: string, body: TriggerBody): Endpoint<string> => ({
  operation,
  method: 'POST',
  path: ofTenant('/workflow-runs/trigger'),
  // [hatchet] In the body, and in snake case among camel-case fields; anywhere else it is ignored.
  body: { ...body, return_only_id: true },
  read: readTriggeredId,
  repeatable: false,
});

const readActedOn: Reader<string[]> = (value) => objectOf<{ ids: string[] }>({ ids: arrayOf(text) })(value).ids;

/** Cancels runs. [hatchet] The answer is an echo, given before anything has happened. */
export const cancelRuns = (operation: string, ids: readonly string[]): Endpoint<string[]> => ({
  operation,
  method: 'POST',
  path: ofTenant('/tasks/cancel'),
  body: { externalIds: ids },
  read: readActedOn,
  repeatable: true,
});

/** Replays runs. [hatchet] The answer names tasks, not runs; each call that gets through is one more attempt. */
export const replayRuns = (operation: string, ids: readonly string[]): Endpoint<string[]> => ({
  operation,
  method: 'POST',
  path: ofTenant('/tasks/replay'),
  body: { externalIds: ids },
  read: readActedOn,
  repeatable: false,
});

/** Puts an evicted durable task back into its queue. */
export const restoreTask = (operation: string, taskRunId: string): Endpoint<{ requeued: boolean }> => ({
  operation,
  method: 'POST',
  path: () => `${STABLE}/tasks/${taskRunId}/restore`,
  body: {},
  read: objectOf<{ requeued: boolean }>({ requeued: (value) => value === true }),
  repeatable: true,
  runId: taskRunId,
});

/** Which node of a durable task to branch from. */
export interface BranchRequest {
  readonly taskExternalId: string;
  readonly nodeId: number;
  readonly branchId: number;
}

/** Starts a new branch of a durable task. */
export const branchDurableTask = (operation: string, body: BranchRequest): Endpoint<V1BranchDurableTaskResponse> => ({
  operation,
  method: 'POST',
  path: ofTenant('/durable-tasks/branch'),
  body,
  read: readBranch,
  repeatable: false,
  runId: body.taskExternalId,
});

/** What counts of runs can be asked for. */
export interface MetricsQuery extends IdsFilter {
  readonly parentTaskExternalId?: string | undefined;
  readonly triggeringEventExternalId?: string | undefined;
}

/** How many runs of a window have each status. */
export const taskMetrics = (operation: string, filter: MetricsQuery): Endpoint<V1TaskRunMetric[]> => ({
  operation,
  method: 'GET',
  path: ofTenant('/task-metrics'),
  query: queryOf({
    since: filter.since.toISOString(),
    until: filter.until?.toISOString(),
    workflow_ids: filter.workflowIds,
    parent_task_external_id: filter.parentTaskExternalId,
    triggering_event_external_id: filter.triggeringEventExternalId,
    additional_metadata: metadataPairs(filter.additionalMetadata),
  }),
  read: arrayOf(readMetric),
  repeatable: true,
});

function metadataPairs(metadata: Readonly<Record<string, string>> | undefined): readonly string[] | undefined {
  return metadata === undefined ? undefined : Object.entries(metadata).map(([key, value]) => `${key}:${value}`);
}

/** [hatchet] The list of ids excludes `since` itself, the list of runs includes it: one microsecond earlier evens that out. */
function justBefore(since: Date): string {
  return new Date(since.getTime() - 1).toISOString().replace('Z', '999Z');
}
