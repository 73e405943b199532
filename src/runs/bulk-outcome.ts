import {
  AuthenticationError,
  ConnectionError,
  DecodeError,
  type ErrorContext,
  HttpStatusError,
  type HatchetError,
  RateLimitedError,
  RunNotFinishedError,
  RunNotFoundError,
  type RunFailure,
  TimeoutError,
} from '../error/errors.ts';

/** What became of runs that were cancelled or replayed together. */
export interface BulkOutcome {
  /** Runs that it took effect on. */
  readonly affected: readonly string[];
  /** Runs that ended by themselves before it could. */
  readonly finished: readonly string[];
  readonly failures: readonly RunFailure[];
}

/** The outcome when nothing has been done yet. */
export const NOTHING_DONE: BulkOutcome = { affected: [], finished: [], failures: [] };

/** Two outcomes of different runs as one. */
export function together(a: BulkOutcome, b: BulkOutcome): BulkOutcome {
  return {
    affected: [...a.affected, ...b.affected],
    finished: [...a.finished, ...b.finished],
    failures: [...a.failures, ...b.failures],
  };
}

/** Every run failed for the same reason. */
export function allFailed(ids: readonly string[], error: HatchetError): BulkOutcome {
  return { ...NOTHING_DONE, failures: ids.map((runId) => ({ runId, error })) };
}

/**
 * The error of an operation on many runs of which some failed: of the first failure's kind, with all `failures` and the
 * runs that were `affected`.
 */
export function bulkError(operation: string, outcome: BulkOutcome): HatchetError | undefined {
  const [first] = outcome.failures;
  if (first === undefined) return undefined;
  if (outcome.failures.length === 1 && outcome.affected.length + outcome.finished.length === 0) return first.error;
  const { error } = first;
  const total = outcome.affected.length + outcome.finished.length + outcome.failures.length;
  const message = `${operation}: ${outcome.failures.length} of ${total} runs failed; the first: ${error.message}`;
  const context: ErrorContext = {
    operation,
    runId: first.runId,
    cause: error,
    affected: outcome.affected,
    failures: outcome.failures,
  };
  switch (error._tag) {
    case 'RunNotFoundError':
      return new RunNotFoundError(message, context);
    case 'RunNotFinishedError':
      return new RunNotFinishedError(message, error, context);
    case 'HttpStatusError':
      return new HttpStatusError(message, error, context);
    case 'RateLimitedError':
      return new RateLimitedError(message, error, context);
    case 'AuthenticationError':
      return new AuthenticationError(message, context);
    case 'ConnectionError':
      return new ConnectionError(message, context);
    case 'TimeoutError':
      return new TimeoutError(message, error, context);
    case 'DecodeError':
      return new DecodeError(message, error, context);
    default:
      // No other kind comes from acting on runs.
      return error;
  }
}
