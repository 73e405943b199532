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

/** A piece of an answer that is read as it arrives: its head first, then the bytes of its body. */
export type HttpStreamPart =
  | { readonly type: 'head'; readonly status: number; readonly headers: HttpResponse['headers'] }
  | { readonly type: 'data'; readonly bytes: Uint8Array };

/**
 * What carries requests: undici on Node, `fetch` in a browser, or one's own.
 *
 * `request` is cold: nothing is sent before `subscribe`; it emits one answer of any status and completes, or errors when
 * there is no (whole) answer. Unsubscribing aborts the request and frees its socket. Retries, deadlines and errors are
 * not a transport's business.
 */
export interface HttpTransport {
  request(request: HttpRequest): Observable<HttpResponse>;
  /**
   * Like `request`, but emits the answer as it arrives and completes at the end of its body, however late that is. A
   * transport without it serves no event streams; the client then polls.
   */
  stream?(request: HttpRequest): Observable<HttpStreamPart>;
  /** Frees every socket; requests under way end with an error. */
  close(): Promise<void>;
}
