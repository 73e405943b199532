import type { Observable } from 'rxjs';

/** One request, ready to be sent. The URL is `origin + path`; `origin` is empty for a same-origin `serverUrl`. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly origin: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text. */
  readonly body?: string | undefined;
}

/** One whole answer, whatever its status. */
export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/**
 * What carries requests: undici on Node, `fetch` in a browser, or one's own.
 *
 * `request` is cold: nothing is sent before `subscribe`; it emits one answer of any status and completes, or errors when
 * there is no (whole) answer. Unsubscribing aborts the request and frees its socket. Retries, deadlines and errors are
 * not a transport's business.
 */
export interface HttpTransport {
  request(request: HttpRequest): Observable<HttpResponse>;
  /** Frees every socket; requests under way end with an error. */
  close(): Promise<void>;
}
