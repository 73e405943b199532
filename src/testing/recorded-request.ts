import type { IncomingHttpHeaders } from 'node:http';
import type { Fault } from './faults.ts';
import type { Operation } from './operation.ts';

/** A request the engine has received. */
export interface RecordedRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** What the API calls it; `unknown` for paths it does not have. */
  readonly operation: Operation;
  readonly headers: IncomingHttpHeaders;
  /** The parsed JSON, or the text when it is none; undefined when there was no body. */
  readonly body: unknown;
  /** Milliseconds since 1970, with fractions. */
  readonly startedAt: number;
  /** Milliseconds since 1970; undefined while it is being answered. */
  readonly endedAt: number | undefined;
  /** undefined while it is being answered, or when no answer was sent. */
  readonly status: number | undefined;
  /** The connection ended before the answer was out: the client went away, or a fault cut it. */
  readonly aborted: boolean;
  /** The faults that were applied. */
  readonly faults: readonly Fault['kind'][];
}
