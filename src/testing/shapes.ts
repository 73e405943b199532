import { ZERO_TIME, formatMicros } from './clock.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { isEnded } from './store.ts';
import type { Attempt, LogLine, Run, Status, Task, TaskEvent } from './store.ts';
import type { Workflow } from './workflow.ts';

const ZERO_UUID = '00000000-0000-0000-0000-000000000000';

// [hatchet] what Go makes of a duration between a set time and an unset one, in milliseconds
const UNSET_FINISH = -9_223_372_036_854;
const UNSET_START = 9_223_372_036_854;

const metadataOf = (id: string, createdAt: string): JsonObject => ({
  // [hatchet] updatedAt never moves
  createdAt,
  id,
  updatedAt: createdAt,
});

const timeOrAbsent = (micros: number): string | undefined => (micros === 0 ? undefined : formatMicros(micros));

const millisBetween = (startedUs: number, finishedUs: number): number | undefined =>
  startedUs === 0 || finishedUs === 0 ? undefined : Math.trunc((finishedUs - startedUs) / 1000);

/** The input as the server stores it for a task. */
const envelope = (task: Task): JsonValue =>
  task.parents === undefined
    ? {}
    : {
        input: task.run.input,
        overrides: null,
        parents: task.parents,
        triggered_by: 'manual',
        triggers: { filter_payload: null },
        user_data: null,
      };

const plainInput = (task: Task): JsonValue =>
  // [hatchet] /tasks/{id} unwraps the envelope, unless the run was triggered without an input
  task.parents === undefined || task.run.input === null ? envelope(task) : task.run.input;

/** [hatchet] details and lists show the output of the attempt before while the present one has not ended. */
const lastingOutput = (task: Task): JsonObject => {
  if (isEnded(task.attempt.status)) return task.attempt.output ?? {};
  return task.attempts.findLast((attempt) => attempt.output !== undefined)?.output ?? {};
};

/** Where the shapes of one task differ. */
interface TaskShape {
  readonly status: Status;
  readonly actionId: string;
  readonly createdAt: string;
  readonly input: JsonValue;
  readonly output: JsonObject;
  readonly type: 'TASK' | 'DAG';
  /** Whether `isDurable` and `isEvicted` are there. */
  readonly withKind: boolean;
  readonly spawned: number;
  readonly workflowConfig: JsonObject | undefined;
  readonly workflowName: string | undefined;
}

// One literal for all shapes: lists make thousands of these, and spread objects are several times slower.
const taskShape = (task: Task, attempt: Attempt, tenantId: string, shape: TaskShape): JsonObject => ({
  actionId: shape.actionId,
  additionalMetadata: task.run.metadata,
  attempt: attempt.retryCount + 1,
  createdAt: shape.createdAt,
  displayName: task.displayName,
  duration: millisBetween(attempt.startedUs, attempt.finishedUs),
  errorMessage: attempt.error,
  finishedAt: timeOrAbsent(attempt.finishedUs),
  input: shape.input,
  isDurable: shape.withKind ? task.step.durable : undefined,
  isEvicted: shape.withKind ? false : undefined,
  metadata: metadataOf(task.externalId, task.createdAt),
  numSpawnedChildren: shape.spawned,
  output: shape.output,
  parentTaskExternalId: task.run.parentTaskId,
  retryCount: attempt.retryCount,
  startedAt:
    // [hatchet] a later attempt may say RUNNING before its start is known
    attempt.retryCount > 0 && attempt.status === 'RUNNING' && task.run.syncTimer !== undefined
      ? undefined
      : timeOrAbsent(attempt.startedUs),
  status: shape.status,
  stepId: task.step.stepId,
  taskExternalId: task.externalId,
  taskId: task.taskId,
  taskInsertedAt: task.createdAt,
  tenantId,
  type: shape.type,
  workflowConfig: shape.workflowConfig,
  workflowId: task.run.workflow.id,
  workflowName: shape.workflowName,
  workflowRunExternalId: task.run.externalId,
  workflowVersionId: task.run.workflow.versionId,
});

const EMPTY: JsonObject = {};

/** `/tasks/{id}`, of the present attempt or an earlier one. */
export const taskGet = (task: Task, attempt: Attempt, tenantId: string): JsonObject =>
  taskShape(task, attempt, tenantId, {
    // [hatchet] a cancel after the end is seen here only
    status: attempt.cancelledLate ? 'CANCELLED' : attempt.status,
    actionId: task.step.actionId,
    createdAt: ZERO_TIME,
    input: plainInput(task),
    output: attempt.output ?? EMPTY,
    type: 'TASK',
    withKind: true,
    // [hatchet] only /tasks/{id} counts the children
    spawned: task.spawned,
    workflowConfig: task.run.workflow.config,
    workflowName: undefined,
  });

const detailsTask = (task: Task, tenantId: string): JsonObject =>
  taskShape(task, task.attempt, tenantId, {
    status: task.attempt.status,
    actionId: task.step.actionId,
    createdAt: ZERO_TIME,
    input: envelope(task),
    output: lastingOutput(task),
    type: 'TASK',
    withKind: true,
    spawned: 0,
    workflowConfig: undefined,
    workflowName: undefined,
  });

/** A task in a list: its own row with only_tasks=true, a child of a DAG row, or a single-task run. */
export const taskRow = (task: Task, tenantId: string, payloads: boolean, asRun: boolean = false): JsonObject =>
  taskShape(task, task.attempt, tenantId, {
    status: task.attempt.status,
    // [hatchet] among runs the type is DAG for every one, and the action's id is left empty
    actionId: asRun ? '' : task.step.actionId,
    createdAt: task.createdAt,
    // [hatchet] without payloads both are empty objects, not absent
    input: payloads ? envelope(task) : EMPTY,
    output: payloads ? lastingOutput(task) : EMPTY,
    type: asRun ? 'DAG' : 'TASK',
    withKind: false,
    spawned: 0,
    workflowConfig: undefined,
    workflowName: task.run.workflow.name,
  });

/** [hatchet] newest first, and the later id first among equals. */
const newestFirst = (tasks: readonly Task[]): Task[] =>
  tasks.toSorted((a, b) => b.createdUs - a.createdUs || b.taskId - a.taskId);

/** The task that ended last with an output: its output is the run's. */
const latestOutput = (run: Run): JsonObject => {
  let latest: Attempt | undefined;
  for (const task of run.tasks) {
    const ended = isEnded(task.attempt.status)
      ? task.attempt
      : task.attempts.findLast((attempt) => attempt.output !== undefined);
    if (ended?.output === undefined) continue;
    if (latest === undefined || ended.finishedUs >= latest.finishedUs) latest = ended;
  }
  return latest?.output ?? EMPTY;
};

/** [hatchet] the text of the last failed attempt; it stays when a later one is COMPLETED. */
const lastError = (run: Run): string => {
  let latest: Attempt | undefined;
  for (const task of run.tasks) {
    const failed = task.attempts.findLast((attempt) => attempt.error !== '');
    if (failed !== undefined && (latest === undefined || failed.finishedUs >= latest.finishedUs)) latest = failed;
  }
  return latest?.error ?? '';
};

const createdAtOf = (run: Run): string =>
  run.reading.createdUs === 0 ? run.createdAt : formatMicros(run.reading.createdUs);

/** The status a list shows of a run. */
export const listStatus = (run: Run): Status => {
  if (run.workflow.isDag) return run.reading.status;
  return run.tasks[0]?.attempt.status ?? 'QUEUED';
};

/** A run in a list with only_tasks=false. */
export const runRow = (run: Run, tenantId: string, payloads: boolean): JsonObject => {
  const [first] = run.tasks;
  if (!run.workflow.isDag && first !== undefined) return taskRow(first, tenantId, payloads, true);
  const { reading } = run;
  const retryCount = Math.max(0, ...run.tasks.map((task) => task.attempt.retryCount));
  return {
    actionId: '',
    additionalMetadata: run.metadata,
    attempt: retryCount + 1,
    children: newestFirst(run.tasks).map((task) => taskRow(task, tenantId, payloads)),
    createdAt: createdAtOf(run),
    displayName: run.displayName,
    duration: millisBetween(reading.startedUs, reading.finishedUs),
    errorMessage: lastError(run),
    finishedAt: timeOrAbsent(reading.finishedUs),
    input: payloads ? run.input : EMPTY,
    metadata: metadataOf(run.externalId, run.createdAt),
    numSpawnedChildren: 0,
    output: payloads ? latestOutput(run) : EMPTY,
    parentTaskExternalId: run.parentTaskId,
    retryCount,
    startedAt: timeOrAbsent(reading.startedUs),
    status: reading.status,
    stepId: ZERO_UUID,
    taskExternalId: run.externalId,
    taskId: 0,
    taskInsertedAt: run.createdAt,
    tenantId,
    type: 'DAG',
    workflowId: run.workflow.id,
    workflowName: run.workflow.name,
    workflowRunExternalId: run.externalId,
    workflowVersionId: run.workflow.versionId,
  };
};

const runDuration = (startedUs: number, finishedUs: number): number => {
  const known = millisBetween(startedUs, finishedUs);
  if (known !== undefined) return known;
  if (startedUs === finishedUs) return 0;
  return startedUs === 0 ? UNSET_START : UNSET_FINISH;
};

/** One event of a task; those of a DAG's run carry the output as a JSON text. */
export const eventRow = (task: Task, event: TaskEvent, workerId: string, withOutput: boolean): JsonObject => ({
  attempt: event.retryCount + 1,
  errorMessage: event.error,
  eventType: event.type,
  id: event.id,
  message: event.message,
  output: withOutput ? event.output : undefined,
  retryCount: event.retryCount,
  taskDisplayName: task.displayName,
  taskId: task.externalId,
  timestamp: formatMicros(event.micros),
  workerId: event.onWorker ? workerId : undefined,
});

/** All events of a run, newest first; none of a single-task run. */
export const runEvents = (run: Run, workerId: string): JsonObject[] => {
  // [hatchet] a single-task run has its events only under /tasks/{id}/task-events
  if (!run.workflow.isDag) return [];
  return run.tasks
    .flatMap((task) => task.events.map((event) => [task, event] as const))
    .toSorted(([, a], [, b]) => b.micros - a.micros)
    .map(([task, event]) => eventRow(task, event, workerId, true));
};

/** `/workflow-runs/{id}`. */
export const runDetails = (run: Run, tenantId: string, workerId: string): JsonObject => {
  const { reading, workflow } = run;
  const [first] = run.tasks;
  // [hatchet] for some milliseconds details answer without tasks while everything else is still 404
  const isFull = run.visibility === 'full';
  const tasks = isFull ? newestFirst(run.tasks) : [];
  return {
    run: {
      additionalMetadata: run.metadata,
      createdAt: createdAtOf(run),
      displayName: run.displayName,
      duration: isFull ? runDuration(reading.startedUs, reading.finishedUs) : 0,
      errorMessage: isFull ? lastError(run) : '',
      finishedAt: isFull ? formatMicros(reading.finishedUs) : ZERO_TIME,
      input: workflow.isDag || first === undefined ? run.input : envelope(first),
      metadata: metadataOf(run.externalId, run.createdAt),
      output: isFull ? latestOutput(run) : EMPTY,
      startedAt: isFull ? formatMicros(reading.startedUs) : ZERO_TIME,
      status: isFull ? reading.status : 'QUEUED',
      tenantId,
      workflowId: workflow.id,
      workflowVersionId: workflow.versionId,
    },
    shape: workflow.steps
      .toSorted((a, b) => (a.stepId < b.stepId ? -1 : 1))
      .map((step) => ({
        childrenStepIds: step.children.map((child) => child.stepId),
        stepId: step.stepId,
        taskExternalId: tasks.find((task) => task.step === step)?.externalId ?? ZERO_UUID,
        taskName: step.name,
      })),
    taskEvents: isFull ? runEvents(run, workerId) : [],
    tasks: tasks.map((task) => detailsTask(task, tenantId)),
    workflowConfig: workflow.config,
  };
};

/** The answer of a trigger that wants only the id. */
export const triggerStub = (id: string, nanos: string): JsonObject => ({
  run: {
    displayName: '',
    input: {},
    metadata: { createdAt: nanos, id, updatedAt: nanos },
    output: {},
    status: '',
    tenantId: ZERO_UUID,
    workflowId: ZERO_UUID,
  },
  shape: null,
  taskEvents: null,
  tasks: null,
});

/** One row of task-timings. */
export const timingRow = (task: Task, depth: number, tenantId: string): JsonObject => ({
  attempt: task.attempt.retryCount + 1,
  depth,
  finishedAt: timeOrAbsent(task.attempt.finishedUs),
  metadata: metadataOf(task.externalId, task.createdAt),
  parentTaskExternalId: task.run.parentTaskId,
  queuedAt: timeOrAbsent(task.attempt.queuedUs),
  retryCount: task.attempt.retryCount,
  startedAt: timeOrAbsent(task.attempt.startedUs),
  status: task.attempt.status,
  taskDisplayName: task.displayName,
  taskExternalId: task.externalId,
  taskId: task.taskId,
  taskInsertedAt: task.createdAt,
  tenantId,
  workflowRunId: task.run.externalId,
});

/** One log line. */
export const logRow = (task: Task, line: LogLine): JsonObject => ({
  attempt: line.retryCount + 1,
  createdAt: formatMicros(line.micros),
  level: 'INFO',
  message: line.message,
  metadata: {},
  retryCount: line.retryCount,
  taskDisplayName: task.displayName,
  taskExternalId: task.externalId,
});

/** A workflow in the list of workflows. */
export const workflowRow = (workflow: Workflow): JsonObject => ({
  description: workflow.description,
  isPaused: false,
  metadata: metadataOf(workflow.id, workflow.createdAt),
  name: workflow.name,
  // [hatchet] left empty in this list
  tenantId: '',
});
