import type { Observable } from 'rxjs';
import type { V1BranchDurableTaskResponse, V1LogLine, V1TaskRunMetric, V1TaskTiming } from '../model/activity.ts';
import type { BranchRequest } from '../http/endpoints.ts';
import type { Decoder } from '../model/decoder.ts';
import type { RunEvent } from '../model/event.ts';
import type { ListFilter, RunFilter } from '../model/filter.ts';
import type { JsonObject } from '../model/json.ts';
import type { V1TaskEvent, V1TaskSummary, V1WorkflowRunDetails } from '../model/run.ts';
import type { V1TaskStatus } from '../model/status.ts';
import type { WorkflowOf } from '../model/workflow.ts';
import {
  branchTask,
  getMetrics,
  getTaskEvents,
  getTaskLogs,
  getTimings,
  type LogsFilter,
  type MetricsFilter,
  restoreTask,
} from './activity.ts';
import {
  actByFilters,
  actOnSelection,
  type BulkEvent,
  type BulkOptions,
  CANCEL,
  REPLAY,
  type RunSelection,
} from './bulk.ts';
import { cancelRun } from './cancel.ts';
import type { RunsContext } from './context.ts';
import {
  listAll,
  listIds,
  listOnce,
  listPages,
  type PagesFilter,
  type RunPage,
  type V1TaskSummaryList,
} from './list.ts';
import { getDetails, getResult, getStatus, getTaskRun } from './reads.ts';
import { createRunRef, type WorkflowRunRef } from './ref.ts';
import { replayRun } from './replay.ts';
import { subscribeToStream, triggerAndStream } from './stream.ts';
import type { TriggerOptions } from './send-trigger.ts';
import { createRun, triggerRun } from './trigger.ts';

/**
 * The runs of a tenant.
 *
 * Every operation is cold: nothing is sent before `subscribe`, each subscription sends requests of its own, and
 * unsubscribing aborts them and clears every timer. Reads are repeated after connection errors, 408, 429 and 5xx, with
 * jitter, within `timeoutMs`. Every operation can error with `ConfigError` (nothing was sent), `ConnectionError`,
 * `TimeoutError`, `HttpStatusError`, `AuthenticationError`, `RateLimitedError` and `DecodeError`; what comes on top is
 * said with each. Nothing throws synchronously.
 */
export interface RunsClient {
  /**
   * Everything about one run.
   *
   * Emits: once. Errors: `RunNotFoundError`; a run that this client triggered in the last 30 s is waited for instead, and
   * is a `WorkflowNotFoundError` if its workflow does not exist. Requests: one.
   */
  get(runId: string): Observable<V1WorkflowRunDetails>;

  /**
   * A run's status at this moment. [hatchet] `FAILED` may be followed by a retry; `getRunRef(id).status$` knows.
   *
   * Emits: once. Errors: as `get`. Requests: one.
   */
  getStatus(runId: string): Observable<V1TaskStatus>;

  /**
   * One task: a step of a DAG, or a single-task run by its run id. The input is the plain one.
   *
   * Emits: once. Errors: as `get`; [hatchet] a DAG's run id is a `RunNotFoundError` here. Requests: one.
   */
  getTaskRun(taskRunId: string): Observable<V1TaskSummary>;

  /**
   * The output of a run that has ended; of a DAG, an object with each step's output under the step's name.
   *
   * Emits: once. Errors: `RunNotFinishedError` while it goes on (also between two attempts), `RunFailedError`,
   * `RunCancelledError`, and as `get`. Requests: two, and some more where only the task's history tells whether a failure
   * is final (two seconds at most). To wait for the end, use `getRunRef(runId).result$`.
   */
  getResult(runId: string): Observable<JsonObject>;

  /**
   * One page of runs, newest first. Several metadata pairs must all match, unless `matchMetadata` is `any`.
   *
   * Emits: once. Errors: `WorkflowNotFoundError` for a name in `workflowNames` that does not exist. Requests: one, and one
   * for each workflow name.
   *
   * @param filter - default: the 50 newest runs of the last 24 hours, with payloads
   */
  list(filter?: ListFilter): Observable<V1TaskSummaryList>;

  /**
   * All runs of a window as pages: what was there at the time of `subscribe`, each run in exactly one page, also while
   * runs arrive or change their status, and across runs of the same creation time.
   *
   * Emits: each page, newest first; one empty page if there is nothing. Completes: by itself, after the oldest run. Errors:
   * as `list`. Requests: one at a time; the next as soon as a page is taken, or on demand under `eachValue`.
   */
  listPages(filter?: PagesFilter): Observable<RunPage>;

  /** The runs of `listPages`, one by one. A row that cannot be read is left out and told to `onDiagnostic`. */
  listWithPagination(filter?: PagesFilter): Observable<V1TaskSummary>;

  /**
   * The ids of all runs that a filter selects, in no particular order.
   *
   * Emits: each id once. Errors: as `list`. Requests: one for most filters; pages where the server's list of ids does not
   * know the filter (several metadata pairs, tasks, a parent, an event).
   */
  listIds(filter?: RunFilter): Observable<string>;

  /**
   * Triggers a run and waits until it is readable.
   *
   * Emits: the details, once. Errors: as `trigger` and `get`. Requests: those of `trigger`, and one or more reads. Never
   * sent twice.
   */
  create<I, O>(workflow: WorkflowOf<I, O>, input: I, options?: TriggerOptions): Observable<V1WorkflowRunDetails>;

  /**
   * Triggers a run.
   *
   * Emits: a ref, as soon as the id is known. Errors: `WorkflowNotFoundError`; `AmbiguousTriggerError` when the answer was
   * lost, since the run may exist: its `tag` finds it; `ConfigError` for an input that the workflow's codec refuses.
   * Requests: one, never repeated by itself; beside it, once per workflow name and client, a look-up of the name.
   * Unsubscribing before the answer leaves open whether the run exists.
   */
  trigger<I, O>(workflow: WorkflowOf<I, O>, input: I, options?: TriggerOptions): Observable<WorkflowRunRef<O>>;

  /**
   * Cancels a run, and sees to it that it stops. A run that had ended already stays as it is. [hatchet] Child runs go on.
   *
   * Emits: `[runId]`, once, when the run is no longer live. Errors: `RunNotFoundError`; `TimeoutError` if it still lives
   * after 18 s of cancelling. Requests: a cancel and a look, repeated as needed; a run of moments ago is waited for first, since
   * the server loses a cancel that comes too early.
   */
  cancel(runId: string): Observable<string[]>;

  /**
   * Replays a run: the same run, one attempt more. Takes the id of a step to replay it and what follows.
   *
   * Emits: `[runId]`, once, when the new attempt shows. Errors: `RunNotFoundError`; `RunNotFinishedError` for a running run;
   * `TimeoutError` if no new attempt shows after four tries of 6 s. Requests: attempts are read, the replay is sent, attempts are
   * read again; one call at a time per client, which takes what was asked for meanwhile together.
   */
  replay(runId: string): Observable<string[]>;

  /**
   * Cancels many runs. `{ filters }` without `statuses` means RUNNING and QUEUED ones, of the last 24 hours.
   *
   * Emits: the ids of the selected runs, once, when none of them is live any more. Errors: if some still are, an error of
   * the first failure's kind, with all `failures` and those `affected`; `ConfigError` for an empty selection.
   */
  bulkCancel(selection: RunSelection): Observable<string[]>;

  /**
   * Replays many runs. `{ filters }` without `statuses` means FAILED and CANCELLED ones, of the last 24 hours.
   *
   * Emits: the ids of the replayed runs, once. Errors: if some were not, an error of the first failure's kind, with all
   * `failures` and those `affected`; `ConfigError` for an empty selection.
   */
  bulkReplay(selection: RunSelection): Observable<string[]>;

  /**
   * Cancels all runs that the options select, in chunks with pauses between them.
   *
   * Emits: a `plan`, then a `chunk` (and a `failure` for each reason why runs of it failed) per chunk, then `done`. A
   * failure does not end the stream. Errors: only before the plan. Requests: ids first, then per chunk a cancel and looks.
   * Unsubscribing stops: no chunk after the one under way is sent.
   *
   * @param options - default: RUNNING and QUEUED runs of the last 24 hours, 500 per chunk, 3 s between chunks
   */
  bulkCancelByFiltersWithPagination(options?: BulkOptions): Observable<BulkEvent>;

  /**
   * Replays all runs that the options select, in chunks with pauses between them; otherwise as
   * `bulkCancelByFiltersWithPagination`.
   *
   * @param options - default: FAILED and CANCELLED runs of the last 24 hours, 500 per chunk, 3 s between chunks
   */
  bulkReplayByFiltersWithPagination(options?: BulkOptions): Observable<BulkEvent>;

  /**
   * Triggers a run and emits its events from the very first one on: they are subscribed to before the run exists.
   *
   * Emits: as `subscribeToStream`. Completes: after `finished`. Errors: as `trigger` and `subscribeToStream`. Requests: those
   * of `trigger`, once per subscription, and the event stream. Unsubscribing closes the stream; the run goes on.
   */
  triggerAndStream<I, O>(workflow: WorkflowOf<I, O>, input: I, options?: TriggerOptions): Observable<RunEvent>;

  /**
   * The events of a run: chunks of text, what happens to its tasks, gaps where chunks are lost, and its end.
   *
   * Emits: each chunk at most once and in order per attempt of a task; a `gap` for what is, or may be, lost; `finished` last,
   * with the status that the run itself tells. Completes: after `finished`, never because a connection ended. Errors:
   * `RunNotFoundError`; `StreamInterruptedError` when the stream was down for a minute. Requests: one connection at a time,
   * resumed where it broke. Unsubscribing closes it.
   *
   * @param options - `lastEventId`: the `id` of the last event that was seen, to go on after it
   */
  subscribeToStream(runId: string, options?: { readonly lastEventId?: string | undefined }): Observable<RunEvent>;

  /** A ref to a run, without a request. A malformed id is a `ConfigError` of the ref's streams. */
  getRunRef<O = JsonObject>(runId: string, options?: { readonly output?: Decoder<O> | undefined }): WorkflowRunRef<O>;

  /**
   * A task's history, newest first. [hatchet] Within some milliseconds the order can be wrong: go by `retryCount`.
   *
   * Emits: once. Errors: as `get`. Requests: one per 1,000 entries.
   */
  getTaskEvents(taskRunId: string): Observable<V1TaskEvent[]>;

  /** What a task logged, oldest first. Emits: once. Errors: as `get`. Requests: one. */
  getTaskLogs(taskRunId: string, filter?: LogsFilter): Observable<V1LogLine[]>;

  /**
   * When each task of a run was queued, started and finished. Emits: once. Errors: as `get`. Requests: one.
   *
   * @param options - `depth` (0 to 10, default 0): how many levels of child runs to include
   */
  getTimings(runId: string, options?: { readonly depth?: number | undefined }): Observable<V1TaskTiming[]>;

  /** How many runs of a window (default: the last 24 hours) have each status. Emits: once. Requests: one. */
  getMetrics(filter?: MetricsFilter): Observable<V1TaskRunMetric[]>;

  /**
   * Puts an evicted durable task back into its queue. [hatchet] Says `requeued: true` for every task there is.
   *
   * Emits: once. Errors: `RunNotFoundError`. Requests: one.
   */
  restoreTask(taskRunId: string): Observable<{ readonly requeued: boolean }>;

  /**
   * Starts a new branch of a durable task from one of its nodes. [hatchet] Nodes that do not exist are accepted.
   *
   * Emits: the new branch, once. Errors: `RunNotFoundError`. Requests: one, never repeated; after a 500, which is how the
   * server answers for a task that does not exist, a look at the task.
   */
  branchDurableTask(request: BranchRequest): Observable<V1BranchDurableTaskResponse>;
}

/** Puts the operations together. */
export function createRunsClient(context: RunsContext): RunsClient {
  const { guard } = context;
  return {
    get: (runId) => guard(getDetails(context, runId)),
    getStatus: (runId) => guard(getStatus(context, runId)),
    getTaskRun: (taskRunId) => guard(getTaskRun(context, taskRunId)),
    getResult: (runId) => guard(getResult(context, runId)),
    list: (filter) => guard(listOnce(context, filter)),
    listPages: (filter) => guard(listPages(context, filter)),
    listWithPagination: (filter) => guard(listAll(context, filter)),
    listIds: (filter) => guard(listIds(context, filter)),
    create: (workflow, input, options) => guard(createRun(context, workflow, input, options)),
    trigger: (workflow, input, options) => guard(triggerRun(context, workflow, input, options)),
    cancel: (runId) => guard(cancelRun(context, runId)),
    replay: (runId) => guard(replayRun(context, runId)),
    bulkCancel: (selection) => guard(actOnSelection(context, 'runs.bulkCancel', CANCEL, selection)),
    bulkReplay: (selection) => guard(actOnSelection(context, 'runs.bulkReplay', REPLAY, selection)),
    bulkCancelByFiltersWithPagination: (options) =>
      guard(actByFilters(context, 'runs.bulkCancelByFiltersWithPagination', CANCEL, options)),
    bulkReplayByFiltersWithPagination: (options) =>
      guard(actByFilters(context, 'runs.bulkReplayByFiltersWithPagination', REPLAY, options)),
    triggerAndStream: (workflow, input, options) => guard(triggerAndStream(context, workflow, input, options)),
    subscribeToStream: (runId, options) => guard(subscribeToStream(context, runId, options)),
    getRunRef: (runId, options) => createRunRef(context, runId, options),
    getTaskEvents: (taskRunId) => guard(getTaskEvents(context, taskRunId)),
    getTaskLogs: (taskRunId, filter) => guard(getTaskLogs(context, taskRunId, filter)),
    getTimings: (runId, options) => guard(getTimings(context, runId, options)),
    getMetrics: (filter) => guard(getMetrics(context, filter)),
    restoreTask: (taskRunId) => guard(restoreTask(context, taskRunId)),
    branchDurableTask: (request) => guard(branchTask(context, request)),
  };
}
