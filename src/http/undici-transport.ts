import { from, Observable, type Observer } from 'rxjs';
import type { Agent, Dispatcher } from 'undici';
import type { HttpRequest, HttpResponse, HttpStreamPart, HttpTransport } from './transport.ts';

/** How many sockets one client opens at most; further requests wait for a free one. */
const MAX_SOCKETS = 128;

/** The sockets of one client. */
interface Pools {
  readonly requests: Agent;
  /** Open streams must not take the sockets that requests wait for, nor be cut off for being silent. */
  readonly streams: Agent;
}

/** One keep-alive pool of sockets over undici, which is loaded with the first request: it is slow to load. */
export function createTransport(): HttpTransport {
  let pools: Pools | undefined;
  let loading: Promise<Pools> | undefined;
  let closed = false;

  const load = async (): Promise<Pools> => {
    const undici = await import('undici');
    pools = {
      requests: new undici.Agent({ connections: MAX_SOCKETS, pipelining: 1 }),
      streams: new undici.Agent({ connections: null, pipelining: 1, bodyTimeout: 0, headersTimeout: 0 }),
    };
    if (closed) await destroy(pools);
    return pools;
  };

  const over = <A>(send: (loaded: Pools, observer: Observer<A>) => () => void): Observable<A> =>
    new Observable((subscriber) => {
      if (pools !== undefined) return send(pools, subscriber);
      loading ??= load();
      return from(loading).subscribe({
        next: (loaded) => subscriber.add(send(loaded, subscriber)),
        error: (error: unknown) => subscriber.error(error),
      });
    });

  return {
    request: (request) => over(({ requests }, observer) => dispatch(requests, request, observer)),
    stream: (request) => over(({ streams }, observer) => dispatchStream(streams, request, observer)),
    close: async () => {
      closed = true;
      if (pools !== undefined) await destroy(pools);
    },
  };
}

/** Not close(): that waits for answers that nobody reads any more. */
async function destroy({ requests, streams }: Pools): Promise<void> {
  await Promise.all([requests.destroy(), streams.destroy()]);
}

interface AnswerObserver {
  next(response: HttpResponse): void;
  error(error: unknown): void;
  complete(): void;
}

/** Sends over undici's dispatch interface: half the cost of `undici.request`, whose body is a stream. */
function dispatch(agent: Agent, { method, origin, path, headers, body }: HttpRequest, observer: AnswerObserver) {
  let controller: Dispatcher.DispatchController | undefined;
  let aborted = false;
  let over = false;
  let status = 0;
  let answerHeaders: HttpResponse['headers'] = {};
  let first: Buffer | undefined;
  let more: Buffer[] | undefined;

  agent.dispatch(
    { origin, path, method, headers, body: body ?? null },
    {
      onRequestStart(started) {
        controller = started;
        // Unsubscribed while the request waited for a socket: it must never be written.
        if (aborted) started.abort(new Error('unsubscribed'));
      },
      onResponseStart(_controller, statusCode, received) {
        status = statusCode;
        answerHeaders = received;
      },
      onResponseData(_controller, chunk) {
        if (first === undefined) first = chunk;
        else (more ??= [first]).push(chunk);
      },
      onResponseEnd() {
        over = true;
        const whole = more === undefined ? first : Buffer.concat(more);
        observer.next({ status, headers: answerHeaders, body: whole?.toString('utf8') ?? '' });
        observer.complete();
      },
      onResponseError(_controller, error) {
        over = true;
        if (!aborted) observer.error(error);
      },
    },
  );

  return () => {
    // The error below is dear (its stack): not for the many requests that have simply ended.
    if (over) return;
    aborted = true;
    controller?.abort(new Error('unsubscribed'));
  };
}

/** Sends over undici's dispatch interface and hands the body on as it arrives. */
function dispatchStream(
  agent: Agent,
  { method, origin, path, headers, body }: HttpRequest,
  observer: Observer<HttpStreamPart>,
) {
  let controller: Dispatcher.DispatchController | undefined;
  let aborted = false;
  agent.dispatch(
    { origin, path, method, headers, body: body ?? null },
    {
      onRequestStart(started) {
        controller = started;
        if (aborted) started.abort(new Error('unsubscribed'));
      },
      onResponseStart(_controller, status, received) {
        observer.next({ type: 'head', status, headers: received });
      },
      onResponseData(_controller, chunk) {
        observer.next({ type: 'data', bytes: chunk });
      },
      onResponseEnd() {
        observer.complete();
      },
      onResponseError(_controller, error) {
        if (!aborted) observer.error(error);
      },
    },
  );
  return () => {
    aborted = true;
    controller?.abort(new Error('unsubscribed'));
  };
}
