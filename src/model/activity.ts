import type { JsonObject } from './json.ts';
import { date, numberOrZero, objectOf, objectOrEmpty, optionalDate, text, textOrEmpty, type Reader } from './reader.ts';
import { readStatus, type V1TaskStatus } from './status.ts';

/** One line that a task logged. */
export interface V1LogLine {
  readonly createdAt: Date;
  readonly message: string;
  readonly level?: string;
  readonly metadata: JsonObject;
  readonly attempt?: number;
  readonly retryCount?: number;
  readonly taskExternalId?: string;
  readonly taskDisplayName?: string;
}

/** When one task of a run was queued, started and finished. */
export interface V1TaskTiming {
  readonly metadata: { readonly id: string };
  readonly status: V1TaskStatus;
  /** 0 for the run's own tasks, 1 for those of its children, and so on. */
  readonly depth: number;
  readonly taskExternalId: string;
  readonly taskDisplayName: string;
  readonly workflowRunId: string;
  readonly attempt: number;
  readonly retryCount: number;
  readonly queuedAt?: Date;
  readonly startedAt?: Date;
  readonly finishedAt?: Date;
}

/** How many runs have a status. */
export interface V1TaskRunMetric {
  readonly status: V1TaskStatus;
  readonly count: number;
  readonly runningDetailCount?: { readonly evicted: number; readonly onWorker: number };
}

/** A branch of a durable task. */
export interface V1BranchDurableTaskResponse {
  readonly taskExternalId: string;
  readonly nodeId: number;
  /** The new branch. */
  readonly branchId: number;
}

export const readLogLine: Reader<V1LogLine> = objectOf<V1LogLine>({
  createdAt: date,
  message: textOrEmpty,
  metadata: objectOrEmpty as Reader<JsonObject>,
});

export const readTiming: Reader<V1TaskTiming> = objectOf<V1TaskTiming>({
  status: readStatus,
  depth: numberOrZero,
  taskExternalId: text,
  taskDisplayName: textOrEmpty,
  workflowRunId: textOrEmpty,
  attempt: numberOrZero,
  retryCount: numberOrZero,
  queuedAt: optionalDate,
  startedAt: optionalDate,
  finishedAt: optionalDate,
});

export const readMetric: Reader<V1TaskRunMetric> = objectOf<V1TaskRunMetric>({
  status: readStatus,
  count: numberOrZero,
});

export const readBranch: Reader<V1BranchDurableTaskResponse> = objectOf<V1BranchDurableTaskResponse>({
  taskExternalId: textOrEmpty,
  nodeId: numberOrZero,
  branchId: numberOrZero,
});
