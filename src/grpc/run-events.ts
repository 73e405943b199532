import {
  catchError,
  defer,
  map,
  type Observable,
  of,
  retry,
  Subject,
  switchMap,
  takeUntil,
  throwError,
  timer,
} from 'rxjs';
import type { RunEnd } from '../events/assembler.ts';
import type { EventConnection, EventHost, RunEventSource } from '../events/source.ts';
import { duration, type Environment } from '../config.ts';
import { ConfigError, isHatchetError } from '../error/errors.ts';
import { backoffMs } from '../http/retry-policy.ts';
import { claimsOf } from '../http/token-claims.ts';
import type { RunEvent } from '../model/event.ts';
import { isUuid } from '../model/uuid.ts';
import { TRIGGER_TAG } from '../runs/send-trigger.ts';
import { createChannel } from './channel.ts';
import { createEngine, type RunLook, type Target } from './engine.ts';
import { type Pin, pinnedCall } from './pin.ts';
import { runStream } from './run-stream.ts';
import { claimedAddress, type GrpcTlsOptions, resolveSettings } from './settings.ts';
import { keptOpen, type Signal } from './subscription.ts';

/** Options of `grpcRunEvents`. What is left out is taken from the environment, as in the official SDKs. */
export interface GrpcRunEventsOptions {
  /** Host and port of the engine. Environment: `HATCHET_CLIENT_HOST_PORT`. Default: the token's `grpc_broadcast_address`. */
  readonly address?: string | undefined;
  /** How the connection is secured. Environment: `HATCHET_CLIENT_TLS_STRATEGY` and friends. Default: `tls`. */
  readonly tls?: GrpcTlsOptions['strategy'] | GrpcTlsOptions;
  /**
   * How long last chunks are waited for after a run's end, in milliseconds, when it is not known that all have come. The
   * wait starts anew with each chunk. Default 2,000.
   */
  readonly lingerMs?: number | undefined;
  /**
   * Whether a finished run of this client may be used to keep the engine from ending calls before the last chunks are out.
   * Found out to work at run time; where it does not, things go on without. Default `true`.
   */
  readonly pin?: boolean | undefined;
}

/** The metadata key under which a run carries what its events are subscribed to by. */
export const STREAM_TAG = 'hatchet_rx_stream';

const LINGER_MS = 2_000;

/** An engine that was found so often not to do as hoped is not tried again. */
const PIN_FAILURES = 2;

const EVENTS = 'runs.subscribeToStream';
const TRIGGERED = 'runs.triggerAndStream';

/** The pinned call was not pinned after all: the run must be subscribed to in another way, before it is triggered. */
class NotPinned extends Error {}

/**
 * Run events straight from a Hatchet engine, over gRPC. For Node back ends: `createHatchet({ events: grpcRunEvents() })`.
 *
 * One connection per client, opened at the first use, closed by the client's `close()`. Wrong settings are told by
 * `createHatchet` as a `ConfigError`.
 *
 * @example
 * ```ts
 * await using hatchet = createHatchet({ events: grpcRunEvents() });
 * hatchet.runs.triggerAndStream('answer', { question: '…' }).subscribe((event) => {
 *   if (event.type === 'chunk') process.stdout.write(event.text);
 * });
 * ```
 */
export function grpcRunEvents(options: GrpcRunEventsOptions = {}): RunEventSource {
  return { connect: (host) => connect(options, host, process.env) };
}

function connect(options: GrpcRunEventsOptions, host: EventHost, environment: Environment): EventConnection {
  const unknown = Object.keys(options).find((key) => !['address', 'tls', 'lingerMs', 'pin'].includes(key));
  if (unknown !== undefined) throw new ConfigError(`grpcRunEvents has no option "${unknown}"`);
  const { pin: mayPin = true } = options;
  if (typeof mayPin !== 'boolean') throw new ConfigError('grpcRunEvents: pin must be true or false');
  const lingerMs = options.lingerMs === 0 ? 0 : (duration(options.lingerMs, 'grpcRunEvents: lingerMs') ?? LINGER_MS);
  const settings = resolveSettings(options, environment);
  const token = host.credentials.current()?.token;
  // What is wrong is found out now rather than at the first run, if the token is known.
  if (settings.address === undefined && token !== undefined) claimedAddress(claimsOf(token));

  const { retry: policy, diagnose, timeoutMs } = host;
  const channel = createChannel(settings, host.credentials);
  const engine = createEngine(channel, timeoutMs);
  const context = { engine, retry: policy, diagnose };
  const closed = new Subject<never>();

  /** The client's first run that has ended, whose tag all later ones carry. */
  let pin: { readonly by: Pin; readonly call: Observable<Signal> } | undefined;
  let pinFailures = mayPin ? 0 : PIN_FAILURES;

  const unpin = () => {
    pin = undefined;
    pinFailures += 1;
  };
  const mayBecomePin =
    (tag: string) =>
    (runId: string, { tasks }: RunEnd) => {
      const taskRunId = tasks?.[0]?.taskRunId;
      if (pin !== undefined || pinFailures >= PIN_FAILURES || taskRunId === undefined) return;
      const by = { key: STREAM_TAG, tag, runId, taskRunId };
      pin = { by, call: pinnedCall(context, TRIGGERED, by, unpin) };
    };

  const stream = (part: {
    readonly operation: string;
    readonly signals: Observable<Signal>;
    readonly start: Observable<string>;
    readonly alone: boolean;
    readonly late: boolean;
    readonly onEnd?: (runId: string, end: RunEnd) => void;
  }) => runStream({ engine, host, lingerMs, ...part });

  /** By a tag that only this run has. */
  const alone = (trigger: Trigger) =>
    defer(() => {
      const tag = crypto.randomUUID();
      return stream({
        operation: TRIGGERED,
        signals: keptOpen(context, TRIGGERED, { key: STREAM_TAG, value: tag }),
        start: defer(() => trigger({ [STREAM_TAG]: tag })),
        alone: true,
        late: false,
        onEnd: mayBecomePin(tag),
      });
    });

  /** By the tag that all runs of this client have, on the call that they share. */
  const pinned = (trigger: Trigger, { by, call }: NonNullable<typeof pin>) =>
    defer(() => {
      let triggered = false;
      const signals = call.pipe(
        map((signal) => {
          if (!triggered && signal.type === 'open' && !signal.pinned) throw new NotPinned();
          return signal;
        }),
      );
      const start = defer(() => {
        triggered = true;
        return trigger({ [STREAM_TAG]: by.tag });
      });
      return stream({ operation: TRIGGERED, signals, start, alone: false, late: false }).pipe(
        catchError((error: unknown) => (error instanceof NotPinned ? alone(trigger) : throwError(() => error))),
      );
    });

  const known = (runId: string): Observable<RunEvent> =>
    engine.look(EVENTS, runId).pipe(
      retry({
        delay: (error: unknown, count) => {
          if (!isHatchetError(error) || !error.retryable || count >= policy.maxAttempts) throw error;
          return timer(backoffMs(policy, count, Math.random));
        },
      }),
      switchMap((look) => (look.done ? of(...afterwards(runId, look)) : followed(runId, look))),
    );

  const followed = (runId: string, { status, metadata }: RunLook): Observable<RunEvent> => {
    // A tag of its own: by run id, the engine holds chunks back and hangs up at each failed attempt.
    const tag = metadata[TRIGGER_TAG];
    const target: Target = typeof tag === 'string' && tag !== '' ? { key: TRIGGER_TAG, value: tag } : { runId };
    return stream({
      operation: EVENTS,
      signals: keptOpen(context, EVENTS, target),
      start: of(runId),
      alone: false,
      late: status !== 'QUEUED',
    });
  };

  const open = <A>(work: () => Observable<A>) => defer(work).pipe(takeUntil(closed));

  return {
    events: (runId) =>
      open(() => {
        if (!isUuid(runId)) throw new ConfigError(`${EVENTS}: ${JSON.stringify(runId)} is not the id of a run`);
        return known(runId);
      }),
    eventsOfTriggered: (trigger) => open(() => (pin === undefined ? alone(trigger) : pinned(trigger, pin))),
    close: () => {
      if (!closed.hasError) closed.error(new ConfigError('the client was closed'));
      channel.close();
      return Promise.resolve();
    },
  };
}

type Trigger = Parameters<EventConnection['eventsOfTriggered']>[0];

/** What there is to say of a run that has ended. */
function afterwards(runId: string, { status }: RunLook): readonly RunEvent[] {
  return [
    { type: 'gap', runId, reason: 'the run has ended: the engine keeps no chunks, so what it streamed cannot be had' },
    { type: 'finished', runId, status, tail: 'unverified', time: new Date() },
  ];
}
