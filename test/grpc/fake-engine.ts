import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import {
  Server,
  ServerCredentials,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServerWritableStream,
  status,
} from '@grpc/grpc-js';
import {
  EventType,
  type GetRunDetailsResponse,
  getRunDetailsRequest,
  getRunDetailsResponse,
  getVersionResponse,
  METHODS,
  type PutStreamEventRequest,
  putStreamEventRequest,
  ResourceType,
  type SubscribeRequest,
  subscribeRequest,
  timestamp,
  type WorkflowEvent,
  workflowEvent,
} from '../../src/grpc/messages.ts';

/** One subscription as the engine sees it. */
export interface FakeCall {
  readonly request: SubscribeRequest;
  readonly open: boolean;
  send(...events: readonly Partial<WorkflowEvent>[]): void;
  /** Ends it with OK. */
  hangUp(): void;
  fail(code: number, details: string): void;
}

/** An engine that does as the test says: calls are kept for it, looks are answered from `runs`. */
export interface FakeEngine {
  readonly address: string;
  readonly calls: readonly FakeCall[];
  readonly puts: readonly PutStreamEventRequest[];
  readonly runs: Map<string, Partial<GetRunDetailsResponse>>;
  /** Tokens that are refused. */
  readonly refused: Set<string>;
  /** Methods that answer with this code. */
  readonly broken: Map<string, number>;
  onPut: (put: PutStreamEventRequest) => void;
  onSubscribe: (call: FakeCall) => void;
  openCalls(): number;
  close(): void;
}

type Unary = (call: ServerUnaryCall<Uint8Array, Uint8Array>, answer: sendUnaryData<Uint8Array>) => void;

export async function startFakeEngine(): Promise<FakeEngine> {
  const server = new Server();
  const calls: FakeCall[] = [];
  const puts: PutStreamEventRequest[] = [];

  const refusal = (method: string, call: { readonly metadata: { get(key: string): unknown[] } }) => {
    const authorization = String(call.metadata.get('authorization')[0]);
    if (engine.refused.has(authorization.replace('Bearer ', ''))) {
      return { code: status.UNAUTHENTICATED, details: 'invalid auth token' };
    }
    const code = engine.broken.get(method);
    return code === undefined ? undefined : { code, details: 'broken' };
  };
  const unary =
    (method: string, work: (request: Uint8Array) => Uint8Array | undefined): Unary =>
    (call, answer) => {
      const refused = refusal(method, call);
      if (refused !== undefined) {
        answer(refused);
        return;
      }
      const content = work(call.request);
      if (content === undefined) answer({ code: status.NOT_FOUND, details: 'not found' });
      else answer(null, content);
    };
  const subscribe = (stream: ServerWritableStream<Uint8Array, Uint8Array>) => {
    const refused = refusal(METHODS.subscribe, stream);
    if (refused !== undefined) {
      stream.emit('error', refused);
      return;
    }
    let open = true;
    stream.on('cancelled', () => {
      open = false;
    });
    const call: FakeCall = {
      request: subscribeRequest.decode(stream.request),
      get open() {
        return open;
      },
      send: (...events) => {
        for (const event of events) stream.write(workflowEvent.encode(event));
      },
      hangUp: () => {
        open = false;
        stream.end();
      },
      fail: (code, details) => {
        open = false;
        stream.emit('error', { code, details });
      },
    };
    calls.push(call);
    engine.onSubscribe(call);
  };

  const method = (path: string, responseStream: boolean) => ({
    path,
    requestStream: false,
    responseStream,
    requestSerialize: (content: Uint8Array) => Buffer.from(content),
    requestDeserialize: (content: Buffer): Uint8Array => content,
    responseSerialize: (content: Uint8Array) => Buffer.from(content),
    responseDeserialize: (content: Buffer): Uint8Array => content,
  });
  server.addService(
    {
      version: method(METHODS.getVersion, false),
      details: method(METHODS.getRunDetails, false),
      put: method(METHODS.putStreamEvent, false),
      subscribe: method(METHODS.subscribe, true),
    },
    {
      version: unary(METHODS.getVersion, () => getVersionResponse.encode({ version: 'fake' })),
      details: unary(METHODS.getRunDetails, (content) => {
        const run = engine.runs.get(getRunDetailsRequest.decode(content).externalId);
        return run && getRunDetailsResponse.encode(run);
      }),
      put: unary(METHODS.putStreamEvent, (content) => {
        const put = putStreamEventRequest.decode(content);
        puts.push(put);
        engine.onPut(put);
        return timestamp.encode({});
      }),
      subscribe,
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  const engine: FakeEngine = {
    address: `127.0.0.1:${port}`,
    calls,
    puts,
    runs: new Map(),
    refused: new Set(),
    broken: new Map(),
    onPut: () => undefined,
    onSubscribe: () => undefined,
    openCalls: () => calls.filter(({ open }) => open).length,
    close: () => server.forceShutdown(),
  };
  return engine;
}

/** The recorded events of a run, as the engine sends them. */
export function recorded(name: string): readonly Partial<WorkflowEvent>[] {
  const lines = readFileSync(new URL(`../fixtures/events/${name}.jsonl`, import.meta.url), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => {
    const row = JSON.parse(line) as Readonly<Record<string, string>> & { retryCount?: number; hangup?: boolean };
    const ms = Date.parse(row['eventTimestamp'] ?? '');
    const kind = (row['eventType'] ?? '').replace('RESOURCE_EVENT_TYPE_', '').toLowerCase();
    return {
      workflowRunId: row['workflowRunId'] ?? '',
      resourceType: row['resourceType'] === 'RESOURCE_TYPE_WORKFLOW_RUN' ? ResourceType.run : ResourceType.task,
      eventType: EventType[kind as keyof typeof EventType],
      resourceId: row['resourceId'] ?? '',
      eventTimestamp: { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1e6 },
      eventPayload: row['eventPayload'] ?? '',
      hangup: row.hangup ?? false,
      retryCount: row.retryCount,
      eventIndex: row['eventIndex'] === undefined ? undefined : Number(row['eventIndex']),
    };
  });
}

/** Resolves when `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i += 1) await once(AbortSignal.timeout(10), 'abort');
  if (!condition()) throw new Error('did not happen within 5 s');
}
