import type { StreamBody } from './stream-body.ts';

/** Under which a response carries its body in a form that needs no web stream. */
const BODY: unique symbol = Symbol.for('hatchet-rx.stream-body') as never;

/** What keeps proxies (nginx, CDNs, compression) from holding events back. */
export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-store, no-transform',
  'x-accel-buffering': 'no',
};

/** A response that streams `body`. Whoever knows may take the body itself (`streamBodyOf`) instead of the web stream. */
export function streamResponse(body: StreamBody): Response {
  let attached = false;
  let wanted = false;
  const stream = new ReadableStream<Uint8Array>(
    {
      // Called for each read: nothing waits in the stream itself, so a slow reader is seen as what it is.
      pull(controller) {
        wanted = true;
        if (attached) {
          body.pump();
          return;
        }
        attached = true;
        body.attach({
          ready: () => wanted,
          write(bytes) {
            wanted = false;
            controller.enqueue(bytes);
          },
          end: () => controller.close(),
          fail: (reason) => controller.error(reason),
        });
      },
      cancel: () => body.cancel(),
    },
    { highWaterMark: 0 },
  );
  const response = new Response(stream, { status: 200, headers: STREAM_HEADERS });
  Object.defineProperty(response, BODY, { value: body });
  return response;
}

/** The body of a response that `streamResponse` made. */
export function streamBodyOf(response: Response): StreamBody | undefined {
  // Only streamResponse puts anything there.
  return Reflect.get(response, BODY) as StreamBody | undefined;
}
