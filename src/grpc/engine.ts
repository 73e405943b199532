import { map, type Observable } from 'rxjs';
import { isRecord } from '../model/json.ts';
import { readStatus, type V1TaskStatus } from '../model/status.ts';
import type { Channel } from './channel.ts';
import {
  getRunDetailsRequest,
  getRunDetailsResponse,
  getVersionResponse,
  METHODS,
  putStreamEventRequest,
  RUN_STATUSES,
  subscribeRequest,
  timestamp,
  type WorkflowEvent,
  workflowEvent,
} from './messages.ts';

/** Which events to subscribe to. */
export type Target =
  | { readonly runId: string }
  /** All runs that carry the pair. */
  | { readonly key: string; readonly value: string };

/** A run, as the engine's own store has it: unlike the REST API's, it does not lag. */
export interface RunLook {
  readonly status: V1TaskStatus;
  /** Whether it has ended for good. [hatchet] Right between two attempts, too. */
  readonly done: boolean;
  readonly tasks: readonly { readonly taskRunId: string; readonly status: V1TaskStatus }[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What the engine is asked, in the library's words. */
export interface Engine {
  /** Completes when everything that was sent before has reached the engine: one connection keeps the order. */
  fence(operation: string): Observable<unknown>;
  look(operation: string, runId: string): Observable<RunLook>;
  /** Puts a chunk into the stream of a task, as its worker would. */
  putChunk(operation: string, taskRunId: string, text: string): Observable<unknown>;
  subscribe(operation: string, target: Target): Observable<WorkflowEvent>;
}

/** How long a single answer may take, in milliseconds. */
const ANSWER_MS = 5_000;

export function createEngine(channel: Channel, timeoutMs: number): Engine {
  const deadlineMs = Math.min(ANSWER_MS, timeoutMs);
  return {
    fence: (operation) =>
      channel.unary(
        {
          operation,
          method: METHODS.getVersion,
          request: {},
          encode: () => new Uint8Array(0),
          answer: getVersionResponse,
        },
        deadlineMs,
      ),
    look: (operation, runId) =>
      channel
        .unary(
          {
            operation,
            method: METHODS.getRunDetails,
            runId,
            request: { externalId: runId },
            encode: (request) => getRunDetailsRequest.encode(request),
            answer: getRunDetailsResponse,
          },
          deadlineMs,
        )
        .pipe(
          map(({ status, done, taskRuns, additionalMetadata }) => ({
            status: statusOf(status),
            done,
            tasks: [...taskRuns].map(([id, task]) => ({
              taskRunId: task.externalId === '' ? id : task.externalId,
              status: statusOf(task.status),
            })),
            metadata: metadataOf(additionalMetadata),
          })),
        ),
    putChunk: (operation, taskRunId, text) =>
      channel.unary(
        {
          operation,
          method: METHODS.putStreamEvent,
          request: {
            taskRunExternalId: taskRunId,
            createdAt: timestampOf(Date.now()),
            message: new TextEncoder().encode(text),
            eventIndex: undefined,
          },
          encode: (request) => putStreamEventRequest.encode(request),
          // Its answer is empty; any message can read that.
          answer: timestamp,
        },
        deadlineMs,
      ),
    subscribe: (operation, target) =>
      channel.stream({
        operation,
        method: METHODS.subscribe,
        runId: 'runId' in target ? target.runId : undefined,
        request: {
          workflowRunId: 'runId' in target ? target.runId : undefined,
          additionalMetaKey: 'key' in target ? target.key : undefined,
          additionalMetaValue: 'key' in target ? target.value : undefined,
        },
        encode: (request) => subscribeRequest.encode(request),
        answer: workflowEvent,
      }),
  };
}

function statusOf(number: number): V1TaskStatus {
  return readStatus(RUN_STATUSES[number] ?? String(number));
}

function timestampOf(ms: number) {
  return { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1_000_000 };
}

function metadataOf(json: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(json));
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}
