import { Client, credentials as channelCredentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { catchError, defer, Observable, switchMap, throwError } from 'rxjs';
import { AuthenticationError, ConfigError, DecodeError } from '../error/errors.ts';
import type { Access, Credentials } from '../http/credentials.ts';
import { claimsOf } from '../http/token-claims.ts';
import type { Codec } from './protobuf.ts';
import { claimedAddress, type GrpcSettings } from './settings.ts';
import { type CallContext, errorOf } from './status.ts';

/** One call: the method, what is sent and how the answers are read. */
export interface Call<Q, A> {
  readonly operation: string;
  readonly method: string;
  readonly runId?: string | undefined;
  readonly request: Q;
  readonly encode: (request: Q) => Uint8Array;
  readonly answer: Codec<A>;
}

/** The one connection of a client to its engine. Opened by the first call. */
export interface Channel {
  /** Makes a call with one answer. Emits it. Unsubscribing cancels the call. */
  unary<Q, A>(call: Call<Q, A>, deadlineMs: number): Observable<A>;
  /** Makes a call with many answers. Emits each; completes when the engine ends the call with OK. Unsubscribing cancels it. */
  stream<Q, A>(call: Call<Q, A>): Observable<A>;
  close(): void;
}

/** Milliseconds. [hatchet] Pings more often than every 5 s end the connection; without any, a dead one is never noticed. */
const KEEPALIVE_TIME_MS = 10_000;
const KEEPALIVE_TIMEOUT_MS = 5_000;

/** Milliseconds. The defaults (1 s to 120 s) would sleep through the start of what is to be streamed. */
const FIRST_RECONNECT_MS = 200;
const LAST_RECONNECT_MS = 2_000;

/** [hatchet] The server's limit is 4 MiB of message; the largest must fit. Runs with many tasks have longer details. */
const MAX_MESSAGE_BYTES = 64 * 1_024 * 1_024;

export function createChannel(settings: GrpcSettings, credentials: Credentials): Channel {
  let client: Client | undefined;
  let closed = false;

  const clientFor = (access: Access): Client => {
    if (closed) throw new ConfigError('the client was closed');
    if (access.token === undefined) throw new ConfigError('grpcRunEvents needs a token: set HATCHET_CLIENT_TOKEN');
    client ??= connect(settings.address ?? claimedAddress(claimsOf(access.token)), settings);
    return client;
  };

  /** Makes a call with the token; a refused token is asked for once more, and the refused call did nothing. */
  const authorized = <A>(make: (client: Client, access: Access) => Observable<A>): Observable<A> =>
    defer(() => {
      const attempt = (access: Access) => make(clientFor(access), access);
      return credentials.access().pipe(
        switchMap((access) =>
          attempt(access).pipe(
            catchError((error: unknown) => {
              const newer = error instanceof AuthenticationError ? credentials.refresh(access) : undefined;
              return newer === undefined ? throwError(() => error) : newer.pipe(switchMap(attempt));
            }),
          ),
        ),
      );
    });

  return {
    unary: (call, deadlineMs) => authorized((connected, access) => unaryOnce(connected, access, call, deadlineMs)),
    stream: (call) => authorized((connected, access) => streamOnce(connected, access, call)),
    close() {
      closed = true;
      client?.close();
      client = undefined;
    },
  };
}

function connect(address: string, { tls }: GrpcSettings): Client {
  const security =
    tls === undefined
      ? channelCredentials.createInsecure()
      : channelCredentials.createSsl(tls.rootCa, tls.key, tls.cert);
  return new Client(address, security, {
    'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.initial_reconnect_backoff_ms': FIRST_RECONNECT_MS,
    'grpc.max_reconnect_backoff_ms': LAST_RECONNECT_MS,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.service_config_disable_resolution': 1,
    // Not shared with other clients of the process: the fence needs one connection, and close() must close it.
    'grpc.use_local_subchannel_pool': 1,
    ...(tls?.serverName === undefined ? {} : { 'grpc.ssl_target_name_override': tls.serverName }),
  });
}

function unaryOnce<Q, A>(client: Client, access: Access, call: Call<Q, A>, deadlineMs: number): Observable<A> {
  return new Observable((subscriber) => {
    const running = client.makeUnaryRequest(
      call.method,
      (request: Q) => Buffer.from(call.encode(request)),
      (content) => content,
      call.request,
      metadataOf(access),
      { deadline: Date.now() + deadlineMs },
      (failure, content) => {
        if (subscriber.closed) return;
        if (failure !== null) {
          subscriber.error(errorOf(failure, contextOf(access, call, false, deadlineMs)));
          return;
        }
        emitDecoded(call, content, subscriber);
        subscriber.complete();
      },
    );
    return () => running.cancel();
  });
}

function streamOnce<Q, A>(client: Client, access: Access, call: Call<Q, A>): Observable<A> {
  return new Observable((subscriber) => {
    const running = client.makeServerStreamRequest<Q, Buffer>(
      call.method,
      (request: Q) => Buffer.from(call.encode(request)),
      (content) => content,
      call.request,
      metadataOf(access),
    );
    running.on('data', (content: Buffer) => emitDecoded(call, content, subscriber));
    let failure: ServiceError | undefined;
    // Comes before 'end', and before the data that are still to be handed out. Also comes after a cancellation.
    running.on('error', (error: ServiceError) => {
      failure = error;
    });
    running.on('end', () => {
      if (failure === undefined) subscriber.complete();
      else subscriber.error(errorOf(failure, contextOf(access, call, true, 0)));
    });
    return () => running.cancel();
  });
}

function emitDecoded<A>(
  call: Pick<Call<never, A>, 'operation' | 'method' | 'answer'>,
  content: Buffer | undefined,
  subscriber: { next(value: A): void; error(error: unknown): void },
): void {
  let value: A;
  try {
    value = call.answer.decode(content ?? new Uint8Array(0));
  } catch (cause) {
    subscriber.error(
      new DecodeError(
        `${call.operation}: an answer of ${call.method} cannot be read`,
        { path: '', expected: 'a protocol buffer message', got: `${content?.length ?? 0} bytes` },
        { operation: call.operation, path: call.method, cause },
      ),
    );
    return;
  }
  subscriber.next(value);
}

function metadataOf(access: Access): Metadata {
  const metadata = new Metadata();
  // [hatchet] "Bearer" with a capital.
  metadata.set('authorization', `Bearer ${access.token ?? ''}`);
  return metadata;
}

function contextOf<Q, A>(access: Access, call: Call<Q, A>, streaming: boolean, waitedMs: number): CallContext {
  const { operation, method, runId } = call;
  return { operation, method, runId, streaming, waitedMs, secret: access.token };
}
