import { Observable, of, throwError } from 'rxjs';
import type { HttpRequest, HttpResponse, HttpTransport } from '../../../src/http/transport.ts';

/** How the fake server answers one request: with an answer, with an error of the connection, or as an Observable says. */
export type Answer = Partial<HttpResponse> | Error | Observable<HttpResponse>;

/** A transport that answers by a script, and what it was asked. */
export interface FakeTransport extends HttpTransport {
  /** Requests in the order of their subscriptions. */
  readonly requests: HttpRequest[];
  /** How many requests are subscribed and not answered. */
  readonly underWay: () => number;
  readonly closed: () => boolean;
}

/** A transport over a function that answers. */
export function fakeTransport(answer: (request: HttpRequest, index: number) => Answer): FakeTransport {
  const requests: HttpRequest[] = [];
  let underWay = 0;
  let closed = false;
  return {
    requests,
    underWay: () => underWay,
    closed: () => closed,
    request: (request) =>
      new Observable((subscriber) => {
        requests.push(request);
        underWay += 1;
        subscriber.add(() => {
          underWay -= 1;
        });
        return responseOf(answer(request, requests.length - 1)).subscribe(subscriber);
      }),
    close: () => {
      closed = true;
      return Promise.resolve();
    },
  };
}

/** A transport that gives the answers one after the other, the last one for ever. */
export function scripted(...answers: readonly Answer[]): FakeTransport {
  return fakeTransport(
    (_, index) => answers[Math.min(index, answers.length - 1)] ?? new Error('no answer in the script'),
  );
}

/** An answer with a JSON body. */
export function json(body: unknown, status = 200, headers: HttpResponse['headers'] = {}): HttpResponse {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

function responseOf(answer: Answer): Observable<HttpResponse> {
  if (answer instanceof Observable) return answer;
  if (answer instanceof Error) return throwError(() => answer);
  return of({ status: 200, headers: {}, body: '', ...answer });
}
