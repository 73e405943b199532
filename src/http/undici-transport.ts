import { Observable } from 'rxjs';
import { Agent, type Dispatcher } from 'undici';
import type { HttpRequest, HttpResponse, HttpTransport } from './transport.ts';

/** How many sockets one client opens at most; further requests wait for a free one. */
const MAX_SOCKETS = 128;

/** One keep-alive pool of sockets over undici. */
export function createTransport(): HttpTransport {
  const agent = new Agent({ connections: MAX_SOCKETS, pipelining: 1 });
  return {
    request: (request) => new Observable((subscriber) => dispatch(agent, request, subscriber)),
    // Not agent.close(): that waits for answers that nobody reads any more.
    close: () => agent.destroy(),
  };
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
