import type { Observable } from 'rxjs';
import type { Diagnose } from '../diagnostics.ts';
import type { Credentials } from '../http/credentials.ts';
import type { Exchange } from '../http/exchange.ts';
import type { HeadersOption } from '../http/extra-headers.ts';
import type { ResolvedRetryPolicy } from '../http/retry-policy.ts';
import type { HttpTransport } from '../http/transport.ts';
import type { RunEvent } from '../model/event.ts';
import type { V1TaskStatus } from '../model/status.ts';

/** Where run events come from: SSE at the client's `serverUrl` by default, `grpcRunEvents()` on a Node back end. */
export interface RunEventSource {
  /** Binds the source to a client, which does so once. Connects to nothing yet. */
  connect(host: EventHost): EventConnection;
}

/** A source of run events, bound to a client. */
export interface EventConnection {
  /**
   * The events of a run that exists.
   *
   * Emits: what the source can still give, a `gap` for what it cannot, `finished` last. Completes: after `finished`. Errors:
   * as `RunsClient.subscribeToStream`. Unsubscribing closes what was opened for it.
   */
  events(runId: string, options: { readonly lastEventId?: string | undefined }): Observable<RunEvent>;
  /**
   * The events of a run that does not exist yet, from its first one on.
   *
   * @param trigger - sends the trigger once per subscription, with these metadata pairs beside the user's; emits the run's id
   */
  eventsOfTriggered(trigger: (metadata: Readonly<Record<string, string>>) => Observable<string>): Observable<RunEvent>;
  /** Frees every connection. */
  close(): Promise<void>;
}

/** What a client offers to its source of run events. */
export interface EventHost {
  readonly credentials: Credentials;
  readonly exchange: Exchange;
  readonly transport: HttpTransport;
  readonly headers: HeadersOption;
  readonly retry: ResolvedRetryPolicy;
  readonly timeoutMs: number;
  readonly diagnose: Diagnose;
  /**
   * Watches the run itself. Emits each change of status, `final` with the last one; completes after that. Errors:
   * `RunNotFoundError`, `WorkflowNotFoundError` and what a look cannot recover from.
   */
  readonly watch: (runId: string) => Observable<{ readonly status: V1TaskStatus; readonly final: boolean }>;
}
