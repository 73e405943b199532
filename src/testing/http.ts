import { createServer } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Deliver } from './event-streams.ts';
import type { Reply, Services } from './exchange.ts';
import type { FaultBox, Strike } from './faults.ts';
import { answer } from './operations.ts';
import type { Incoming } from './operations.ts';
import { route } from './operation.ts';
import { parseQuery } from './query.ts';
import type { RecordedRequest } from './recorded-request.ts';

type Writable<A> = { -readonly [K in keyof A]: A[K] };

/** The HTTP side of an engine. */
export interface HttpServer {
  readonly port: number;
  readonly requests: readonly RecordedRequest[];
  close(): Promise<void>;
}

/** What the server needs to answer. */
export interface HttpParts {
  readonly faults: FaultBox;
  /** The token that is accepted at present. */
  readonly token: () => string;
  /** Only asked once the port is known. */
  readonly services: () => Services;
}

const readText = (request: IncomingMessage): Promise<string> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(Buffer.concat(chunks).toString()));
    request.on('error', reject);
    request.on('close', () => reject(new Error('the request ended early')));
  });

const parsed = (text: string): unknown => {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

const MALFORMED = '<!doctype html>\n<html><body><h1>502 Bad Gateway</h1></body></html>\n';

const lastEventIdOf = (headers: IncomingHttpHeaders): string | undefined => {
  const value = headers['last-event-id'];
  return typeof value === 'object' ? value[0] : value;
};

const errorBody = (body: unknown): string => {
  if (typeof body === 'string') return body;
  return `${JSON.stringify(body ?? { message: 'Internal Server Error' })}\n`;
};

const retryAfterHeader = (retryAfter: number | Date | undefined): OutgoingHttpHeaders => {
  if (retryAfter === undefined) return {};
  return { 'retry-after': typeof retryAfter === 'number' ? String(retryAfter) : retryAfter.toUTCString() };
};

// [hatchet] Go takes headers (the request's line among them) of up to 1 MiB
const MAX_HEADER_BYTES = 1_048_576;

const JSON_HEADERS = { 'access-control-allow-origin': '*', 'content-type': 'application/json' };

/** Listens on 127.0.0.1. */
export const listen = async (wantedPort: number, parts: HttpParts): Promise<HttpServer> => {
  const requests: RecordedRequest[] = [];

  const keep = (record: RecordedRequest): void => {
    requests.push(record);
    const { keepRequests } = parts.services().options;
    const surplus = requests.length - keepRequests;
    // Cut now and then, not at every request.
    if (surplus > Math.max(16, keepRequests >> 3)) requests.splice(0, surplus);
  };

  const send = (
    response: ServerResponse,
    record: Writable<RecordedRequest>,
    status: number,
    text: string,
    headers: OutgoingHttpHeaders = JSON_HEADERS,
  ): void => {
    record.status = status;
    response.writeHead(status, headers);
    response.end(text);
  };

  const stream = (
    deliver: Deliver,
    response: ServerResponse,
    record: Writable<RecordedRequest>,
    cutAfter: number | undefined,
  ): void => {
    record.status = 200;
    deliver(response, cutAfter);
  };

  /** Strikes in place of the server; false when it must answer itself. */
  const strikeInstead = (strike: Strike, response: ServerResponse, record: Writable<RecordedRequest>): boolean => {
    const { fault } = strike;
    if (fault?.kind === 'drop') response.destroy();
    else if (fault?.kind === 'status') {
      send(response, record, fault.status, errorBody(fault.body), {
        ...JSON_HEADERS,
        ...retryAfterHeader(fault.retryAfter),
        ...fault.headers,
      });
    } else return false;
    return true;
  };

  /** Sends the server's answer, as far as the faults let it through. */
  const deliver = (reply: Reply, strike: Strike, response: ServerResponse, record: Writable<RecordedRequest>): void => {
    const { fault } = strike;
    let { text } = reply;
    if (strike.transforms.length > 0 && reply.deliver === undefined) {
      let value: unknown = parsed(text);
      for (const transform of strike.transforms) value = transform(value, record);
      text = `${JSON.stringify(value)}\n`;
    }
    if (fault?.kind === 'malformed') {
      send(response, record, 200, fault.body ?? MALFORMED, {
        ...JSON_HEADERS,
        'content-type': fault.contentType ?? 'text/html',
      });
      return;
    }
    if (reply.deliver !== undefined) {
      stream(reply.deliver, response, record, fault?.kind === 'cut' ? fault.bytes : undefined);
      return;
    }
    const bytes = Buffer.from(text);
    if (fault?.kind === 'truncate') {
      send(response, record, reply.status, bytes.subarray(0, fault.bytes ?? bytes.length >> 1).toString());
    } else if (fault?.kind === 'cut') {
      record.status = reply.status;
      response.writeHead(reply.status, { ...JSON_HEADERS, 'content-length': bytes.length });
      response.flushHeaders();
      response.write(bytes.subarray(0, fault.bytes), () => response.destroy());
    } else send(response, record, reply.status, text);
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const services = parts.services();
    const { clock, timers, random, options } = services;
    const { method = 'GET', url = '/', headers } = request;
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const target = route(method, path);
    const params = parseQuery(mark < 0 ? '' : url.slice(mark + 1));
    const record: Writable<RecordedRequest> = {
      method,
      path,
      query: params,
      operation: target.operation,
      headers,
      body: undefined,
      startedAt: clock.peek() / 1000,
      endedAt: undefined,
      status: undefined,
      aborted: false,
      faults: [],
    };
    keep(record);
    response.on('close', () => {
      record.endedAt = clock.peek() / 1000;
      record.aborted = !response.writableFinished;
    });
    if (method === 'OPTIONS') {
      // [hatchet] a preflight is answered for every path, and reflects the headers it asks for
      send(response, record, 200, '', {
        'access-control-allow-headers': headers['access-control-request-headers'] ?? '',
        'access-control-allow-methods': 'GET,POST,PUT,PATCH,DELETE,OPTIONS',
        'access-control-allow-origin': '*',
      });
      return;
    }
    const body = method === 'GET' || method === 'HEAD' ? '' : await readText(request);
    if (body !== '') record.body = parsed(body);
    const incoming: Incoming = {
      target,
      params,
      authorization: headers.authorization,
      contentType: headers['content-type'],
      body,
      lastEventId: lastEventIdOf(headers),
    };
    const strike = parts.faults.strike(record);
    const latencyMs = random.amount(options.latencyMs) + (strike?.delayMs ?? 0);
    if (strike === undefined) {
      const reply = answer(incoming, parts.token(), services);
      const known = reply instanceof Promise ? await reply : reply;
      if (latencyMs > 0) await timers.pause(latencyMs);
      if (known.deliver !== undefined) stream(known.deliver, response, record, undefined);
      else send(response, record, known.status, known.text);
      return;
    }
    record.faults = strike.kinds;
    const { fault } = strike;
    const stage = fault !== undefined && 'stage' in fault ? (fault.stage ?? 'before') : 'before';
    if (latencyMs > 0) await timers.pause(latencyMs);
    if (fault?.kind === 'stall' && stage === 'before') await strike.released;
    if (stage === 'before' && strikeInstead(strike, response, record)) return;
    const reply = await answer(incoming, parts.token(), services);
    if (fault?.kind === 'stall' && stage === 'after') await strike.released;
    if (stage === 'after' && strikeInstead(strike, response, record)) return;
    deliver(reply, strike, response, record);
  };

  const server = createServer({ keepAliveTimeout: 65_000, maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  // Stalled requests may last for ever.
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(wantedPort, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : wantedPort,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
