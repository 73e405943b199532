export { startEngine } from './engine.ts';
export type { Engine } from './engine.ts';
export type { Fault, FaultMatch, FaultStage, FaultTiming, Faults } from './faults.ts';
export type { JsonObject, JsonValue } from './json.ts';
export type { Operation } from './operation.ts';
export type { EngineOptions } from './options.ts';
export type { Amount } from './random.ts';
export type { RecordedRequest } from './recorded-request.ts';
export type { SeedRuns } from './seed-runs.ts';
export type { Status } from './store.ts';
export { NonRetryableError } from './workflow.ts';
export type {
  Backoff,
  ChildOptions,
  DagTask,
  TaskContext,
  TaskFunction,
  TaskOptions,
  WorkflowOptions,
} from './workflow.ts';
