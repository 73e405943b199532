/** Marks errors of every copy of this library, so that guards work across two copies in one process. */
const BRAND: unique symbol = Symbol.for('hatchet-rx.error') as never;

/** Where and how an error happened. Every field is optional: an error carries what is known. */
export interface ErrorContext {
  /** The operation of the public API, for example `runs.get`. */
  readonly operation?: string | undefined;
  /** The HTTP method of the request that failed. */
  readonly method?: string | undefined;
  /** The request's path, without the query. */
  readonly path?: string | undefined;
  /** The HTTP status of the server's answer. */
  readonly status?: number | undefined;
  /** How many times the request was sent. */
  readonly attempts?: number | undefined;
  /** The run (or task) the operation was about. */
  readonly runId?: string | undefined;
  /** The beginning of the server's answer: at most 500 characters, credentials taken out. */
  readonly snippet?: string | undefined;
  /** What was underneath: a socket error, a JSON syntax error, an earlier `HatchetError`. */
  readonly cause?: unknown;
  /** On errors of operations about many runs: the runs that the operation did take effect on. */
  readonly affected?: readonly string[] | undefined;
  /** On errors of operations about many runs: each run that failed, with its own reason. */
  readonly failures?: readonly RunFailure[] | undefined;
}

/** One run of a bulk operation that failed, and why. */
export interface RunFailure {
  readonly runId: string;
  readonly error: HatchetError;
}

abstract class HatchetRxError extends Error implements ErrorContext {
  /** What `matchError` and a `switch` discriminate by; the class's name. */
  abstract readonly _tag: string;
  /** Whether the same call may succeed when made again later. */
  abstract readonly retryable: boolean;
  readonly operation: string | undefined;
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly status: number | undefined;
  readonly attempts: number | undefined;
  readonly runId: string | undefined;
  readonly snippet: string | undefined;
  readonly affected: readonly string[] | undefined;
  readonly failures: readonly RunFailure[] | undefined;

  constructor(message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.operation = context.operation;
    this.method = context.method;
    this.path = context.path;
    this.status = context.status;
    this.attempts = context.attempts;
    this.runId = context.runId;
    this.snippet = context.snippet;
    this.affected = context.affected;
    this.failures = context.failures;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/**
 * The call itself is wrong: a missing or bad setting, a malformed id, an unknown status or filter key, an empty
 * selection. Nothing was sent. The message names the setting or argument, and never holds the token.
 */
export class ConfigError extends HatchetRxError {
  override readonly name = 'ConfigError';
  readonly _tag = 'ConfigError';
  readonly retryable = false;
}

/** No answer: the connection was refused, reset, or ended in the middle of the answer. */
export class ConnectionError extends HatchetRxError {
  override readonly name = 'ConnectionError';
  readonly _tag = 'ConnectionError';
  readonly retryable = true;
}

/** A deadline passed: `timeoutMs` of a request, `waitTimeoutMs` of a wait, or the time an action had to take effect. */
export class TimeoutError extends HatchetRxError {
  override readonly name = 'TimeoutError';
  readonly _tag = 'TimeoutError';
  readonly retryable = true;
  /** How long was waited, in milliseconds. */
  readonly waitedMs: number;
  /** The last status that was seen of the run, if the wait was for a run. */
  readonly lastStatus: string | undefined;

  constructor(
    message: string,
    info: { readonly waitedMs: number; readonly lastStatus?: string | undefined },
    context: ErrorContext = {},
  ) {
    super(message, context);
    this.waitedMs = info.waitedMs;
    this.lastStatus = info.lastStatus;
  }
}

/** The server answered with a status that says "no" and for which there is no class of its own (400, 415, 5xx, …). */
export class HttpStatusError extends HatchetRxError {
  override readonly name = 'HttpStatusError';
  readonly _tag = 'HttpStatusError';
  readonly retryable: boolean;
  override readonly status: number;
  /** What `Retry-After` said (a 503 may carry it), in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    info: { readonly status: number; readonly retryable: boolean; readonly retryAfterMs?: number | undefined },
    context: ErrorContext = {},
  ) {
    super(message, { ...context, status: info.status });
    this.status = info.status;
    this.retryable = info.retryable;
    this.retryAfterMs = info.retryAfterMs;
  }
}

/** 401 or 403. [hatchet] 403 also stands for an unknown path, a wrong method and somebody else's tenant. */
export class AuthenticationError extends HatchetRxError {
  override readonly name = 'AuthenticationError';
  readonly _tag = 'AuthenticationError';
  readonly retryable = false;
}

/** The server knows no such run or task, and it is not one that was triggered moments ago. */
export class RunNotFoundError extends HatchetRxError {
  override readonly name = 'RunNotFoundError';
  readonly _tag = 'RunNotFoundError';
  readonly retryable = false;
}

/** No workflow of that name is registered. [hatchet] The server itself hands out the id of a run that never exists. */
export class WorkflowNotFoundError extends HatchetRxError {
  override readonly name = 'WorkflowNotFoundError';
  readonly _tag = 'WorkflowNotFoundError';
  readonly retryable = false;
  /** The name that was looked up, with the namespace. */
  readonly workflowName: string;

  constructor(message: string, info: { readonly workflowName: string }, context: ErrorContext = {}) {
    super(message, context);
    this.workflowName = info.workflowName;
  }
}

/** 429. `retryAfterMs` is what the server asked for, if it did. */
export class RateLimitedError extends HatchetRxError {
  override readonly name = 'RateLimitedError';
  readonly _tag = 'RateLimitedError';
  readonly retryable = true;
  /** What `Retry-After` said, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, info: { readonly retryAfterMs?: number | undefined }, context: ErrorContext = {}) {
    super(message, context);
    this.retryAfterMs = info.retryAfterMs;
  }
}

/** An answer, or a run's output, is not what was agreed on. */
export class DecodeError extends HatchetRxError {
  override readonly name = 'DecodeError';
  readonly _tag = 'DecodeError';
  readonly retryable = false;
  /** Where in the document, for example `run.metadata.id`; empty for the whole of it. */
  override readonly path: string;
  /** The path of the request whose answer this was. */
  readonly requestPath: string | undefined;
  /** What was expected there. */
  readonly expected: string;
  /** What was found there, at most 100 characters. */
  readonly got: string;

  constructor(
    message: string,
    info: { readonly path: string; readonly expected: string; readonly got: string },
    context: ErrorContext = {},
  ) {
    super(message, context);
    this.path = info.path;
    this.requestPath = context.path;
    this.expected = info.expected;
    this.got = info.got;
  }
}

/**
 * The answer to a trigger was lost: the run may or may not exist. `tag` is the metadata pair that only this trigger
 * carries, ready for `runs.list({ additionalMetadata: error.tag })`. Triggering again could run the work twice.
 */
export class AmbiguousTriggerError extends HatchetRxError {
  override readonly name = 'AmbiguousTriggerError';
  readonly _tag = 'AmbiguousTriggerError';
  readonly retryable = false;
  /** The metadata to look the run up by. */
  readonly tag: Readonly<Record<string, string>>;

  constructor(message: string, info: { readonly tag: Readonly<Record<string, string>> }, context: ErrorContext = {}) {
    super(message, context);
    this.tag = info.tag;
  }
}

/** A stream of run events broke and could not be resumed. */
export class StreamInterruptedError extends HatchetRxError {
  override readonly name = 'StreamInterruptedError';
  readonly _tag = 'StreamInterruptedError';
  readonly retryable = true;
  /** The id of the last event that was delivered. */
  readonly lastEventId: string | undefined;
  /** How many events were delivered. */
  readonly seen: number;

  constructor(
    message: string,
    info: { readonly lastEventId?: string | undefined; readonly seen: number },
    context: ErrorContext = {},
  ) {
    super(message, context);
    this.lastEventId = info.lastEventId;
    this.seen = info.seen;
  }
}

/** The run has not ended, so it has no result to give (`getResult`) and cannot be replayed (`replay`). */
export class RunNotFinishedError extends HatchetRxError {
  override readonly name = 'RunNotFinishedError';
  readonly _tag = 'RunNotFinishedError';
  readonly retryable = true;
  /** The run's status. */
  readonly runStatus: string;

  constructor(message: string, info: { readonly runStatus: string }, context: ErrorContext = {}) {
    super(message, context);
    this.runStatus = info.runStatus;
  }
}

/** What one failed task of a run reported. [hatchet] The text is the worker's stack trace: not for end users' eyes. */
export interface TaskError {
  readonly taskRunId: string;
  readonly taskName: string;
  /** How many attempts were made. */
  readonly attempts: number;
  /** The error text, without the server's trailing metadata. Empty for a time-out. */
  readonly message: string;
}

/** The run ended as FAILED, with no retry left. */
export class RunFailedError extends HatchetRxError {
  override readonly name = 'RunFailedError';
  readonly _tag = 'RunFailedError';
  readonly retryable = false;
  /** One entry per failed task; more than one only for DAGs. */
  readonly taskErrors: readonly TaskError[];

  constructor(message: string, info: { readonly taskErrors: readonly TaskError[] }, context: ErrorContext = {}) {
    super(message, context);
    this.taskErrors = info.taskErrors;
  }
}

/** The run ended as CANCELLED. */
export class RunCancelledError extends HatchetRxError {
  override readonly name = 'RunCancelledError';
  readonly _tag = 'RunCancelledError';
  readonly retryable = false;
}

/** Every error that this library emits. Closed: `matchError` needs a handler for each `_tag`. */
export type HatchetError =
  | ConfigError
  | ConnectionError
  | TimeoutError
  | HttpStatusError
  | AuthenticationError
  | RunNotFoundError
  | WorkflowNotFoundError
  | RateLimitedError
  | DecodeError
  | AmbiguousTriggerError
  | StreamInterruptedError
  | RunNotFinishedError
  | RunFailedError
  | RunCancelledError;

/** Whether `value` is an error of this library, also when it comes from a second copy of it. */
export function isHatchetError(value: unknown): value is HatchetError {
  return typeof value === 'object' && value !== null && BRAND in value;
}
