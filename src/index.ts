export { createHatchet, type Hatchet } from './client.ts';
export type { HatchetOptions } from './config.ts';
export type { Diagnostic } from './diagnostics.ts';
export {
  AmbiguousTriggerError,
  AuthenticationError,
  ConfigError,
  ConnectionError,
  DecodeError,
  type ErrorContext,
  type HatchetError,
  HttpStatusError,
  isHatchetError,
  RateLimitedError,
  RunCancelledError,
  RunFailedError,
  type RunFailure,
  RunNotFinishedError,
  RunNotFoundError,
  StreamInterruptedError,
  type TaskError,
  TimeoutError,
  WorkflowNotFoundError,
} from './error/errors.ts';
export { type ErrorHandlers, matchError } from './error/match-error.ts';
export type { EventConnection, EventHost, RunEventSource } from './events/source.ts';
export type { BranchRequest } from './http/endpoints.ts';
export type { RetryPolicy } from './http/retry-policy.ts';
export type { HttpRequest, HttpResponse, HttpStreamPart, HttpTransport } from './http/transport.ts';
export type { V1BranchDurableTaskResponse, V1LogLine, V1TaskRunMetric, V1TaskTiming } from './model/activity.ts';
export type { Codec, Decoded, Decoder } from './model/decoder.ts';
export type { ChunkEvent, FinishedEvent, GapEvent, RunEvent, TaskLifecycleEvent } from './model/event.ts';
export type { AppliedFilter, ListFilter, RunFilter } from './model/filter.ts';
export type { JsonObject, JsonValue } from './model/json.ts';
export type { PaginationResponse, RejectedRow } from './model/page.ts';
export {
  type APIResourceMeta,
  type V1TaskEvent,
  V1TaskEventCodec,
  type V1TaskSummary,
  V1TaskSummaryCodec,
  type V1WorkflowRun,
  type V1WorkflowRunDetails,
  V1WorkflowRunDetailsCodec,
  type V1WorkflowType,
  type WorkflowConfig,
  type WorkflowConfigTask,
  type WorkflowRunShapeItem,
} from './model/run.ts';
export { isTerminal, type KnownTaskStatus, type V1TaskStatus, V1TaskStatusCodec } from './model/status.ts';
export { defineWorkflow, type WorkflowDefinition, type WorkflowOf } from './model/workflow.ts';
export { asEither } from './operators/as-either.ts';
export { eachValue, type EachValueOptions } from './operators/each-value.ts';
export type { LogsFilter, MetricsFilter } from './runs/activity.ts';
export type { BulkEvent, BulkOptions, RunSelection } from './runs/bulk.ts';
export type { PagesFilter, RunPage, V1TaskSummaryList } from './runs/list.ts';
export type { WorkflowRunRef } from './runs/ref.ts';
export type { RunsClient } from './runs/runs-client.ts';
export { TRIGGER_TAG, type TriggerOptions } from './runs/send-trigger.ts';
