import { type ServiceError, status } from '@grpc/grpc-js';
import {
  AuthenticationError,
  ConnectionError,
  type ErrorContext,
  type HatchetError,
  HttpStatusError,
  RateLimitedError,
  RunNotFoundError,
  TimeoutError,
} from '../error/errors.ts';

/** What was called, for the error's words. */
export interface CallContext {
  readonly operation: string;
  /** The full name of the method. */
  readonly method: string;
  readonly runId: string | undefined;
  /** A call that goes on, other than one with a single answer. */
  readonly streaming: boolean;
  /** How long the answer was waited for, in milliseconds. */
  readonly waitedMs: number;
  /** Taken out of the server's words. */
  readonly secret: string | undefined;
}

/** The HTTP status of a gRPC code, as in google/rpc/code.proto, and whether the call may be made again. */
const HTTP: Readonly<Record<number, readonly [status: number, retryable: boolean]>> = {
  [status.UNKNOWN]: [500, true],
  [status.INVALID_ARGUMENT]: [400, false],
  [status.ALREADY_EXISTS]: [409, false],
  [status.FAILED_PRECONDITION]: [400, false],
  [status.ABORTED]: [409, true],
  [status.OUT_OF_RANGE]: [400, false],
  [status.UNIMPLEMENTED]: [501, false],
  [status.INTERNAL]: [500, true],
  [status.DATA_LOSS]: [500, true],
};

const SNIPPET = 500;

/** The library's error for a call that ended with a status other than OK. */
export function errorOf(cause: ServiceError, call: CallContext): HatchetError {
  const { operation, method, runId, streaming } = call;
  const details = withoutSecret(cause.details, call.secret).slice(0, SNIPPET);
  const context: ErrorContext = { operation, method: 'gRPC', path: method, runId, snippet: details, cause };
  const name = status[cause.code] ?? String(cause.code);
  const said = `${operation}: ${method} ended with ${name}: ${details}`;
  switch (cause.code) {
    case status.UNAUTHENTICATED:
    case status.PERMISSION_DENIED:
      return new AuthenticationError(`${said}. Is the token valid for this engine?`, context);
    case status.NOT_FOUND:
      return runId === undefined
        ? new HttpStatusError(said, { status: 404, retryable: false }, context)
        : new RunNotFoundError(`${operation}: the engine knows no run ${runId}`, context);
    case status.DEADLINE_EXCEEDED:
      return new TimeoutError(`${operation}: no answer to ${method} within ${call.waitedMs} ms`, call, context);
    case status.RESOURCE_EXHAUSTED:
      // [hatchet] On a stream this is no rate limit: it stands for "too many pings" or a message above the size limit.
      return streaming ? new ConnectionError(said, context) : new RateLimitedError(said, {}, context);
    case status.UNAVAILABLE:
    case status.CANCELLED:
      return new ConnectionError(`${said}${hintFor(details)}`, context);
    default: {
      const [http, retryable] = HTTP[cause.code] ?? [500, true];
      return new HttpStatusError(said, { status: http, retryable }, context);
    }
  }
}

/** Whether the error says that what is wrong stays wrong: the settings, not the moment. */
export function isSettingsFault(error: HatchetError): boolean {
  return error._tag === 'ConnectionError' && hintFor(error.snippet ?? '') !== '';
}

/** [hatchet] One chunk that is not valid UTF-8 ends every call that it would go to. */
export function isLostChunk(error: HatchetError): boolean {
  const text = error.snippet ?? '';
  return /invalid UTF-8|message larger than max/i.test(text);
}

function hintFor(details: string): string {
  if (/wrong version number|packet length too long/i.test(details)) {
    return '. The engine speaks plain text here: set HATCHET_CLIENT_TLS_STRATEGY=none or tls: "none"';
  }
  return /certificate|self.signed|altname|unable to verify/i.test(details)
    ? '. See HATCHET_CLIENT_TLS_ROOT_CA_FILE and HATCHET_CLIENT_TLS_SERVER_NAME, or the option tls'
    : '';
}

function withoutSecret(text: string, secret: string | undefined): string {
  return secret === undefined || secret === '' ? text : text.replaceAll(secret, '…');
}
