import type { TaskError } from '../error/errors.ts';
import type { JsonObject } from '../model/json.ts';
import type { V1TaskEvent, V1TaskSummary, V1WorkflowRunDetails } from '../model/run.ts';
import { isTerminal, type V1TaskStatus } from '../model/status.ts';

/** How a run ended. */
export type Ending =
  | { readonly status: 'COMPLETED'; readonly output: JsonObject }
  | { readonly status: 'FAILED'; readonly taskErrors: readonly TaskError[] }
  | { readonly status: 'CANCELLED' };

/** What a run's details say about its end. */
export type Assessment =
  /** It goes on. */
  | { readonly state: 'live'; readonly status: V1TaskStatus }
  /** It has ended, for certain. */
  | { readonly state: 'ended'; readonly ending: Ending }
  /** It looks ended, but parts of the picture lag behind: look again, and believe it if it stays. */
  | { readonly state: 'settling'; readonly ending: Ending }
  /** It failed, and only the history of `tasks` tells whether a retry follows. */
  | { readonly state: 'failed'; readonly ending: Ending; readonly tasks: readonly FailedTask[] };

/** A failed task, and how often its workflow lets it be retried (`undefined`: the definition is not there). */
export interface FailedTask {
  readonly task: V1TaskSummary;
  readonly retries: number | undefined;
}

/**
 * Reads the end of a run from its details.
 *
 * @param attemptsAtLeast - how many attempts (of all tasks together) the details must show; fewer are from before a replay
 */
export function assess(details: V1WorkflowRunDetails, attemptsAtLeast: number): Assessment {
  const { run, tasks } = details;
  if (!isTerminal(run.status)) return { state: 'live', status: run.status };
  // [hatchet] After a replay, details go on showing the old end for a moment.
  if (attemptsOf(tasks) < attemptsAtLeast) return { state: 'live', status: 'QUEUED' };
  const assessment = assessEnd(details);
  if (assessment.state === 'live' || !hasStaleStep(details)) return assessment;
  return { state: 'settling', ending: assessment.ending };
}

function assessEnd(details: V1WorkflowRunDetails): Assessment {
  const { run, tasks } = details;
  if (run.status === 'CANCELLED') return { state: 'ended', ending: { status: 'CANCELLED' } };
  if (run.status === 'FAILED') return assessFailure(details);
  const ending: Ending = { status: 'COMPLETED', output: outputOf(details) };
  // [hatchet] For some milliseconds a run may be COMPLETED before its tasks are, or the other way round.
  const whole = tasks.length > 0 && tasks.every(({ status }) => isTerminal(status)) && allStepsThere(details);
  return { state: whole ? 'ended' : 'settling', ending };
}

/**
 * Whether a step ended before one that it comes after, so that its end is from before a replay.
 *
 * [hatchet] A replayed DAG's steps get their new attempts one by one; after the first, the run may say COMPLETED (or
 * FAILED) for some 100 ms because of what is left of the others.
 */
function hasStaleStep({ shape, tasks }: V1WorkflowRunDetails): boolean {
  const taskOf = new Map(tasks.map((task) => [task.taskExternalId, task]));
  const stepOf = new Map(shape.map(({ stepId, taskExternalId }) => [stepId, taskOf.get(taskExternalId)]));
  return shape.some(({ taskExternalId, childrenStepIds }) => {
    const { attempt = 1, finishedAt } = taskOf.get(taskExternalId) ?? {};
    if (attempt < 2 || finishedAt === undefined) return false;
    return childrenStepIds.some((stepId) => {
      const child = stepOf.get(stepId);
      const childAt = child?.startedAt ?? child?.finishedAt;
      return childAt !== undefined && childAt < finishedAt;
    });
  });
}

/** All attempts of all tasks; a replay raises it. */
export function attemptsOf(tasks: readonly { readonly attempt?: number }[]): number {
  return tasks.reduce((sum, { attempt }) => sum + (attempt ?? 1), 0);
}

/**
 * Whether a failed task's history says that it is over.
 *
 * [hatchet] A replay starts the retries afresh; its event, RETRIED_BY_USER, carries the retryCount from before. A RETRYING
 * event carries the retryCount of the attempt that follows, and comes a little later than the failure itself.
 */
export function verdictOf(
  { task, retries }: FailedTask,
  events: readonly V1TaskEvent[],
): 'final' | 'retrying' | 'unclear' {
  const current = task.retryCount ?? 0;
  const counts = (type: string) => events.filter(({ eventType }) => eventType === type).map((e) => e.retryCount ?? 0);
  const lastReplayed = Math.max(-1, ...counts('RETRIED_BY_USER').filter((count) => count < current));
  if (retries !== undefined && current - lastReplayed > retries) return 'final';
  if (counts('RETRYING').some((count) => count > current)) return 'retrying';
  return 'unclear';
}

function assessFailure(details: V1WorkflowRunDetails): Assessment {
  const failed = details.tasks.filter(({ status }) => status === 'FAILED');
  const ending: Ending = { status: 'FAILED', taskErrors: failed.map((task) => taskErrorOf(details, task)) };
  if (failed.length === 0) return { state: 'settling', ending };
  const tasks = failed.map((task) => ({ task, retries: retriesOf(details, task) }));
  return tasks.every(({ retries }) => retries === 0) ? { state: 'ended', ending } : { state: 'failed', ending, tasks };
}

/** [hatchet] A run of one task has that task's id; a DAG's steps have ids of their own. */
function isSingleTask({ run, tasks, shape }: V1WorkflowRunDetails): boolean {
  return [...tasks, ...shape].some(({ taskExternalId }) => taskExternalId === run.metadata.id);
}

/** The task's own output, or every step's under its name. [hatchet] A DAG's `run.output` is that of one step. */
function outputOf(details: V1WorkflowRunDetails): JsonObject {
  if (isSingleTask(details)) return details.tasks[0]?.output ?? details.run.output;
  return Object.fromEntries(
    details.shape.flatMap(({ taskName, taskExternalId }) => {
      const task = details.tasks.find((candidate) => candidate.taskExternalId === taskExternalId);
      return task === undefined ? [] : [[taskName, task.output] as const];
    }),
  );
}

function allStepsThere({ shape, tasks }: V1WorkflowRunDetails): boolean {
  const there = new Set(tasks.map(({ taskExternalId }) => taskExternalId));
  return shape.every(({ taskExternalId }) => there.has(taskExternalId));
}

function taskNameOf({ shape }: V1WorkflowRunDetails, task: V1TaskSummary): string {
  const step = shape.find(({ taskExternalId }) => taskExternalId === task.taskExternalId);
  return step?.taskName ?? task.displayName;
}

function retriesOf(details: V1WorkflowRunDetails, task: V1TaskSummary): number | undefined {
  const name = taskNameOf(details, task);
  return details.workflowConfig?.Tasks.find(({ ReadableId }) => ReadableId === name)?.Retries;
}

function taskErrorOf(details: V1WorkflowRunDetails, task: V1TaskSummary): TaskError {
  return {
    taskRunId: task.taskExternalId,
    taskName: taskNameOf(details, task),
    attempts: task.attempt ?? 1,
    message: plainErrorText(task.errorMessage ?? ''),
  };
}

/** [hatchet] SDKs end error texts with a line of JSON for machines. */
export function plainErrorText(text: string): string {
  const start = text.lastIndexOf('{"__hatchet_error_metadata__"');
  return (start < 0 ? text : text.slice(0, start)).trimEnd();
}
