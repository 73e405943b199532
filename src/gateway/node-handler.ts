import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Gateway } from './gateway.ts';
import { nodeSink } from './node-sink.ts';
import { streamBodyOf } from './stream-response.ts';

/**
 * A gateway as a handler of `node:http`, and of all that is built on it.
 *
 * - plain: `createServer(toNodeHandler(gateway))`
 * - Express, and NestJS on it: `app.use('/hatchet', toNodeHandler(gateway))`; body parsers before it do no harm
 * - Fastify: hijack the reply and hand on `request.raw` and `reply.raw` (see docs/gateway.md)
 *
 * Event streams are written under back-pressure: a browser that reads slowly is cut off by the gateway's own limits, and
 * never buffered for in memory.
 */
export function toNodeHandler(gateway: Gateway): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    // No answer is possible to who has gone, and none else is left to tell.
    answer(gateway, request, response, gone.signal).catch(() => response.destroy());
  };
}

async function answer(
  gateway: Gateway,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const response = await gateway.fetch(requestOf(incoming, signal));
  const body = streamBodyOf(response);
  if (signal.aborted) {
    body?.cancel();
    return;
  }
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (body === undefined) {
    outgoing.end(new Uint8Array(await response.arrayBuffer()));
    return;
  }
  outgoing.flushHeaders();
  outgoing.on('drain', () => body.pump());
  outgoing.once('close', () => body.cancel());
  body.attach(nodeSink(outgoing));
}

/** Other than a web request, an incoming message may have its body read and parsed already, by a framework. */
type ParsedMessage = IncomingMessage & { readonly originalUrl?: unknown; readonly body?: unknown };

function requestOf(incoming: ParsedMessage, signal: AbortSignal): Request {
  const { method = 'GET', url = '/', headers } = incoming;
  const list = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    // Those of HTTP/2 that begin with a colon are no headers.
    value === undefined || name.startsWith(':') ? [] : [[name, String(value)]],
  );
  // Only the path and the query matter; the name that a client gives the host proves nothing.
  const target = new URL(url.startsWith('/') ? `http://gateway${url}` : url, 'http://gateway');
  if (method === 'GET' || method === 'HEAD') return new Request(target, { method, headers: list, signal });
  const parsed = incoming.readableEnded || incoming.body !== undefined ? bodyTextOf(incoming.body) : undefined;
  if (parsed !== undefined) return new Request(target, { method, headers: list, signal, body: parsed });
  // Node's own types of web streams and those of the DOM describe the same thing.
  const stream = Readable.toWeb(incoming) as unknown as ReadableStream<Uint8Array>;
  const init: RequestInit & { duplex: 'half' } = { method, headers: list, signal, body: stream, duplex: 'half' };
  return new Request(target, init);
}

function bodyTextOf(body: unknown): string | Uint8Array<ArrayBuffer> {
  if (body === undefined) return '';
  if (typeof body === 'string') return body;
  return body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body);
}
