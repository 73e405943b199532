import { formatDuration, formatMicros } from './clock.ts';
import type { Clock } from './clock.ts';
import type { JsonObject } from './json.ts';
import type { Random } from './random.ts';

/** What a task function is given beside its input. */
export interface TaskContext {
  /** The run's id. */
  readonly runId: string;
  /** The task's id: the run's own id for a single-task run, the step's id in a DAG. */
  readonly taskRunId: string;
  /** 0 on the first attempt; retries and replays count alike. */
  readonly retryCount: number;
  /** The metadata of the run, with what the server added. */
  readonly additionalMetadata: JsonObject;
  /** Aborted when the task is cancelled or runs out of time, and when the engine closes. */
  readonly signal: AbortSignal;
  /** Sends a chunk of the task's stream. */
  putStream(text: string): Promise<void>;
  /** The output of a parent step; throws when there is no such parent. */
  parentOutput(task: string): unknown;
  /**
   * Runs another workflow as a child of this task and waits for its output (of a DAG: the outputs by step name).
   * Rejects when the child fails or is cancelled. Children spawned in one go share their creation time, as on the server.
   */
  runChild(workflow: string, input?: unknown, options?: ChildOptions): Promise<unknown>;
  /** Waits `ms`; rejects when the signal aborts. */
  sleep(ms: number): Promise<void>;
  /** Writes a line to the task's log. */
  log(line: string): void;
}

/** Options of {@link TaskContext.runChild}. */
export interface ChildOptions {
  /** Added to the parent's metadata, which the child inherits. */
  readonly additionalMetadata?: Readonly<Record<string, unknown>> | undefined;
  /** 1 to 3, higher runs first. @defaultValue 1 */
  readonly priority?: number | undefined;
}

/** A task: what it returns becomes its output, what it throws its error. */
// The input is whatever the trigger sent, and only the author of the task knows its type.
// oxlint-disable-next-line typescript/no-explicit-any
export type TaskFunction = (input: any, ctx: TaskContext) => unknown;

/** Waiting between two attempts of a task. */
export interface Backoff {
  /** Retry n waits `factor` to the power of n seconds. */
  readonly factor: number;
  /** Never more seconds than these. */
  readonly maxSeconds: number;
}

/** Options of a task. */
export interface TaskOptions {
  /** Further attempts after a failed one. @defaultValue 0 */
  readonly retries?: number | undefined;
  /** Waiting between attempts. @defaultValue none */
  readonly backoff?: Backoff | undefined;
  /** Milliseconds after which an attempt is FAILED without an error text. @defaultValue 60000 */
  readonly timeoutMs?: number | undefined;
  /** Shown as `isDurable`. @defaultValue false */
  readonly durable?: boolean | undefined;
}

/** Options of a workflow. */
export interface WorkflowOptions extends TaskOptions {
  /** What the workflow is for. @defaultValue '' */
  readonly description?: string | undefined;
}

/** One step of a DAG. */
export interface DagTask extends TaskOptions {
  /** Names of the steps that must be COMPLETED first. @defaultValue [] */
  readonly parents?: readonly string[] | undefined;
  /** The step's function. */
  readonly run: TaskFunction;
}

/** Throw it from a task to fail at once, though retries are left. */
export class NonRetryableError extends Error {
  override readonly name = 'NonRetryableError';
}

/** A step as the engine keeps it. */
export interface Step {
  readonly stepId: string;
  readonly name: string;
  readonly actionId: string;
  readonly parents: readonly string[];
  readonly children: Step[];
  readonly run: TaskFunction;
  readonly retries: number;
  readonly backoff: Backoff | undefined;
  readonly timeoutMs: number;
  readonly durable: boolean;
}

/** A workflow as the engine keeps it. */
export interface Workflow {
  readonly id: string;
  readonly versionId: string;
  readonly name: string;
  readonly description: string;
  readonly isDag: boolean;
  readonly steps: readonly Step[];
  readonly createdAt: string;
  readonly config: JsonObject;
}

// base64 of `{"type": "object"}`
const ANY_INPUT_SCHEMA = 'eyJ0eXBlIjogIm9iamVjdCJ9';

const taskConfig = (step: Step): JsonObject => ({
  Action: step.actionId,
  DesiredWorkerLabels: null,
  Parents: [...step.parents],
  RateLimits: [],
  ReadableId: step.name,
  Retries: step.retries,
  RetryBackoffFactor: step.backoff?.factor ?? null,
  RetryBackoffMaxSeconds: step.backoff?.maxSeconds ?? null,
  ScheduleTimeout: '5m',
  Timeout: formatDuration(step.timeoutMs),
  TriggerConditions: [],
});

/** Checks the steps and gives them their ids; throws when a parent is unknown or the steps go round in a circle. */
export const createWorkflow = (
  name: string,
  tasks: Readonly<Record<string, DagTask>>,
  options: { isDag: boolean; description?: string | undefined },
  random: Random,
  clock: Clock,
): Workflow => {
  const steps: Step[] = Object.entries(tasks).map(([taskName, task]) => ({
    stepId: random.uuid(),
    name: taskName,
    actionId: `${name}:${taskName}`.toLowerCase(),
    parents: task.parents ?? [],
    children: [],
    run: task.run,
    retries: task.retries ?? 0,
    backoff: task.backoff,
    timeoutMs: task.timeoutMs ?? 60_000,
    durable: task.durable ?? false,
  }));
  if (steps.length === 0) throw new Error(`workflow ${name} has no task`);
  const byName = new Map(steps.map((step) => [step.name, step]));
  for (const step of steps) {
    for (const parent of step.parents) {
      const found = byName.get(parent);
      if (found === undefined) throw new Error(`${step.actionId} names an unknown parent: ${parent}`);
      found.children.push(step);
    }
  }
  const settled = new Set<string>();
  for (let before = -1; before !== settled.size;) {
    before = settled.size;
    for (const step of steps) if (step.parents.every((parent) => settled.has(parent))) settled.add(step.name);
  }
  if (settled.size !== steps.length) throw new Error(`the tasks of ${name} wait for each other in a circle`);
  const description = options.description ?? '';
  return {
    id: random.uuid(),
    versionId: random.uuid(),
    name,
    description,
    isDag: options.isDag,
    steps,
    // [hatchet] workflows carry milliseconds only
    createdAt: formatMicros(Math.floor(clock.now() / 1000) * 1000),
    config: {
      CronInput: null,
      CronTriggers: null,
      DefaultPriority: 1,
      EventTriggers: null,
      Name: name,
      Sticky: null,
      Tasks: steps.map(taskConfig),
      description,
      inputJsonSchema: ANY_INPUT_SCHEMA,
    },
  };
};
