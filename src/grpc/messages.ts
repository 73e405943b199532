/** The messages of Hatchet's gRPC services that run events need, and the methods they belong to. */
import { bool, bytes, type Codec, int, mapOf, message, nested, optional, string } from './protobuf.ts';

/** The full names of the methods. [hatchet] The older services have no package. */
export const METHODS = {
  getVersion: '/Dispatcher/GetVersion',
  subscribe: '/Dispatcher/SubscribeToWorkflowEvents',
  putStreamEvent: '/EventsService/PutStreamEvent',
  getRunDetails: '/v1.AdminService/GetRunDetails',
} as const;

/** `google.protobuf.Timestamp`. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

export const timestamp: Codec<Timestamp> = message<Timestamp>({ seconds: int(1), nanos: int(2) });

/** Which events a call is about: those of a run, or those of every run that carries a pair of metadata. */
export interface SubscribeRequest {
  readonly workflowRunId: string | undefined;
  readonly additionalMetaKey: string | undefined;
  readonly additionalMetaValue: string | undefined;
}

export const subscribeRequest: Codec<SubscribeRequest> = message<SubscribeRequest>({
  workflowRunId: optional(string(1)),
  additionalMetaKey: optional(string(2)),
  additionalMetaValue: optional(string(3)),
});

export const ResourceType = { task: 1, run: 2 } as const;
export const EventType = { started: 1, completed: 2, failed: 3, cancelled: 4, timedOut: 5, stream: 6 } as const;

export interface WorkflowEvent {
  readonly workflowRunId: string;
  readonly resourceType: number;
  readonly eventType: number;
  /** A task run's id, or the run's own. */
  readonly resourceId: string;
  readonly eventTimestamp: Timestamp | undefined;
  readonly eventPayload: string;
  readonly hangup: boolean;
  readonly retryCount: number | undefined;
  readonly eventIndex: number | undefined;
}

export const workflowEvent: Codec<WorkflowEvent> = message<WorkflowEvent>({
  workflowRunId: string(1),
  resourceType: int(2),
  eventType: int(3),
  resourceId: string(4),
  eventTimestamp: nested(5, timestamp),
  eventPayload: string(6),
  hangup: bool(7),
  retryCount: optional(int(9)),
  eventIndex: optional(int(10)),
});

export interface PutStreamEventRequest {
  readonly taskRunExternalId: string;
  readonly createdAt: Timestamp | undefined;
  readonly message: Uint8Array;
  readonly eventIndex: number | undefined;
}

export const putStreamEventRequest: Codec<PutStreamEventRequest> = message<PutStreamEventRequest>({
  taskRunExternalId: string(1),
  createdAt: nested(2, timestamp),
  message: bytes(3),
  eventIndex: optional(int(6)),
});

export interface GetRunDetailsRequest {
  readonly externalId: string;
}

export const getRunDetailsRequest: Codec<GetRunDetailsRequest> = message<GetRunDetailsRequest>({
  externalId: string(1),
});

/** `RunStatus`, by number. */
export const RUN_STATUSES = ['QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'EVICTED'] as const;

export interface TaskRunDetail {
  readonly externalId: string;
  readonly status: number;
}

export interface GetRunDetailsResponse {
  readonly status: number;
  readonly taskRuns: ReadonlyMap<string, TaskRunDetail>;
  readonly done: boolean;
  /** A JSON object. */
  readonly additionalMetadata: Uint8Array;
}

export const getRunDetailsResponse: Codec<GetRunDetailsResponse> = message<GetRunDetailsResponse>({
  status: int(2),
  taskRuns: mapOf(3, message<TaskRunDetail>({ externalId: string(1), status: int(2) })),
  done: bool(4),
  additionalMetadata: bytes(5),
});

export interface GetVersionResponse {
  readonly version: string;
}

export const getVersionResponse: Codec<GetVersionResponse> = message<GetVersionResponse>({ version: string(1) });
