import type * as t from 'io-ts';
import type { JsonObject } from './json.ts';
import {
  arrayOf,
  codecOf,
  date,
  goodOnesOf,
  numberOrZero,
  objectOf,
  objectOrEmpty,
  optional,
  optionalDate,
  text,
  textOrEmpty,
  type Reader,
} from './reader.ts';
import { isRecord } from './json.ts';
import { readStatus, type V1TaskStatus } from './status.ts';

/** Id and creation time of a thing. [hatchet] The only true creation time of a run; `updatedAt` never moves. */
export interface APIResourceMeta {
  readonly id: string;
  readonly createdAt: Date;
  readonly updatedAt?: Date;
}

/** Whether a row is a task of its own or a run. [hatchet] Lists of runs say `DAG` for single-task runs too. */
export type V1WorkflowType = 'DAG' | 'TASK';

/**
 * A run in a list, a task of a run, or a task by itself.
 *
 * [hatchet] `input` of a single-task run is wrapped (`{ input, parents, triggered_by, … }`) except from
 * `runs.getTaskRun`; `{}` as `output` means "none", `null`, or "payloads not asked for".
 */
export interface V1TaskSummary {
  readonly metadata: APIResourceMeta;
  readonly status: V1TaskStatus;
  readonly displayName: string;
  readonly taskExternalId: string;
  readonly taskId: number;
  readonly tenantId: string;
  readonly workflowId: string;
  readonly workflowRunExternalId: string;
  readonly type: V1WorkflowType;
  readonly input: JsonObject;
  readonly output: JsonObject;
  readonly numSpawnedChildren: number;
  readonly additionalMetadata: JsonObject;
  /** The steps of a DAG, newest first; absent on single-task runs. */
  readonly children?: readonly V1TaskSummary[];
  /** Counts from 1; automatic retries and replays both add one. */
  readonly attempt?: number;
  /** `attempt - 1`. */
  readonly retryCount?: number;
  readonly createdAt?: Date;
  readonly startedAt?: Date;
  readonly finishedAt?: Date;
  readonly taskInsertedAt?: Date;
  /** Milliseconds. */
  readonly duration?: number;
  readonly errorMessage?: string;
  readonly actionId?: string;
  readonly idempotencyKey?: string;
  readonly isDurable?: boolean;
  readonly isEvicted?: boolean;
  readonly parentTaskExternalId?: string;
  readonly payloadsRestricted?: boolean;
  readonly stepId?: string;
  readonly workflowConfig?: WorkflowConfig;
  readonly workflowName?: string;
  readonly workflowVersionId?: string;
}

/** The run itself, within its details. */
export interface V1WorkflowRun {
  readonly metadata: APIResourceMeta;
  readonly status: V1TaskStatus;
  readonly displayName: string;
  readonly tenantId: string;
  readonly workflowId: string;
  readonly workflowVersionId?: string;
  readonly input: JsonObject;
  /** [hatchet] Of a DAG: the output of one step. `runs.getResult` gives every step's. */
  readonly output: JsonObject;
  readonly additionalMetadata: JsonObject;
  /** [hatchet] The text of the last failed attempt; stays when a later attempt succeeded. */
  readonly errorMessage?: string;
  readonly createdAt?: Date;
  readonly startedAt?: Date;
  readonly finishedAt?: Date;
  /** Milliseconds. */
  readonly duration?: number;
  readonly parentTaskExternalId?: string;
}

/** One step of a run's graph. */
export interface WorkflowRunShapeItem {
  readonly stepId: string;
  readonly taskExternalId: string;
  readonly taskName: string;
  readonly childrenStepIds: readonly string[];
}

/** One entry of a task's history. */
export interface V1TaskEvent {
  readonly id: number;
  readonly taskId: string;
  readonly timestamp: Date;
  /** QUEUED, ASSIGNED, SENT_TO_WORKER, STARTED, FINISHED, FAILED, RETRYING, RETRIED_BY_USER, CANCELLED, TIMED_OUT, … */
  readonly eventType: string;
  readonly message: string;
  readonly errorMessage?: string;
  /** The output as JSON text. */
  readonly output?: string;
  readonly workerId?: string;
  readonly taskDisplayName?: string;
  readonly attempt?: number;
  readonly retryCount?: number;
}

/** The workflow's definition at the time of the run; the fields that this library uses. */
export interface WorkflowConfig {
  readonly Name: string;
  readonly Tasks: readonly WorkflowConfigTask[];
  readonly [key: string]: unknown;
}

/** One task of a workflow's definition. */
export interface WorkflowConfigTask {
  readonly ReadableId: string;
  /** How often a failed attempt is repeated. */
  readonly Retries: number;
  readonly [key: string]: unknown;
}

/** Everything that the server says of one run. */
export interface V1WorkflowRunDetails {
  readonly run: V1WorkflowRun;
  readonly shape: readonly WorkflowRunShapeItem[];
  readonly tasks: readonly V1TaskSummary[];
  /** [hatchet] Always empty for single-task runs. */
  readonly taskEvents: readonly V1TaskEvent[];
  readonly workflowConfig?: WorkflowConfig;
}

const readMeta: Reader<APIResourceMeta> = objectOf<APIResourceMeta>({
  id: text,
  createdAt: date,
  updatedAt: optionalDate,
});

/** [hatchet] Nonsense while the run is unset (±9223372036854) and on fast failures (negative): then `undefined`. */
const readDuration: Reader<number | undefined> = (value) =>
  typeof value === 'number' && value >= 0 && value < 9_000_000_000_000 ? value : undefined;

const readPayload = objectOrEmpty as Reader<JsonObject>;

const readConfigTasks = goodOnesOf(objectOf<WorkflowConfigTask>({ ReadableId: text, Retries: numberOrZero }));

const readWorkflowConfig: Reader<WorkflowConfig | undefined> = (value) =>
  isRecord(value) ? { ...value, Name: textOrEmpty(value['Name']), Tasks: readConfigTasks(value['Tasks']) } : undefined;

export const readTaskSummary: Reader<V1TaskSummary> = objectOf<V1TaskSummary>({
  metadata: readMeta,
  status: readStatus,
  displayName: textOrEmpty,
  taskExternalId: textOrEmpty,
  taskId: numberOrZero,
  tenantId: textOrEmpty,
  workflowId: textOrEmpty,
  workflowRunExternalId: textOrEmpty,
  input: readPayload,
  output: readPayload,
  numSpawnedChildren: numberOrZero,
  additionalMetadata: readPayload,
  children: optional((value) => arrayOf(readTaskSummary)(value)) as Reader<readonly V1TaskSummary[]>,
  createdAt: optionalDate,
  startedAt: optionalDate,
  finishedAt: optionalDate,
  taskInsertedAt: optionalDate,
  duration: readDuration,
  workflowConfig: readWorkflowConfig,
});

export const readTaskEvent: Reader<V1TaskEvent> = objectOf<V1TaskEvent>({
  id: numberOrZero,
  taskId: textOrEmpty,
  timestamp: date,
  eventType: text,
  message: textOrEmpty,
});

const readRun: Reader<V1WorkflowRun> = objectOf<V1WorkflowRun>({
  metadata: readMeta,
  status: readStatus,
  displayName: textOrEmpty,
  tenantId: textOrEmpty,
  workflowId: textOrEmpty,
  input: readPayload,
  output: readPayload,
  additionalMetadata: readPayload,
  createdAt: optionalDate,
  startedAt: optionalDate,
  finishedAt: optionalDate,
  duration: readDuration,
});

const readShapeItem: Reader<WorkflowRunShapeItem> = objectOf<WorkflowRunShapeItem>({
  stepId: text,
  taskExternalId: text,
  taskName: textOrEmpty,
  childrenStepIds: arrayOf(text),
});

export const readRunDetails: Reader<V1WorkflowRunDetails> = objectOf<V1WorkflowRunDetails>({
  run: readRun,
  shape: arrayOf(readShapeItem),
  tasks: arrayOf(readTaskSummary),
  taskEvents: goodOnesOf(readTaskEvent),
  workflowConfig: readWorkflowConfig,
});

const readStub = objectOf<{ run: { metadata: { id: string } } }>({
  run: objectOf({ metadata: objectOf({ id: text }) }),
});

/** The id in the answer to a trigger. [hatchet] The rest of that answer is a stub: empty status, null arrays. */
export const readTriggeredId: Reader<string> = (value) => readStub(value).run.metadata.id;

/** The codec of a list's row or a task. */
export const V1TaskSummaryCodec: t.Type<V1TaskSummary, unknown, unknown> = codecOf('V1TaskSummary', readTaskSummary);

/** The codec of a run's details. */
export const V1WorkflowRunDetailsCodec: t.Type<V1WorkflowRunDetails, unknown, unknown> = codecOf(
  'V1WorkflowRunDetails',
  readRunDetails,
);

/** The codec of one entry of a task's history. */
export const V1TaskEventCodec: t.Type<V1TaskEvent, unknown, unknown> = codecOf('V1TaskEvent', readTaskEvent);
