// So that the declarations stand on their own where a consumer's `lib` has no Symbol.asyncDispose.
/// <reference lib="esnext.disposable" preserve="true" />
import { map, type Observable, Subject, takeUntil } from 'rxjs';
import { createTransport } from '#transport';
import { type HatchetOptions, resolveConfig } from './config.ts';
import { ConfigError } from './error/errors.ts';
import { createExchange } from './http/exchange.ts';
import { withInternals } from './internals.ts';
import { createKnownWorkflows } from './runs/known-workflows.ts';
import { createReplayLane } from './runs/replay-lane.ts';
import { createRunMemory } from './runs/run-memory.ts';
import { createRunsClient, type RunsClient } from './runs/runs-client.ts';
import { watchUntilEnded } from './runs/wait.ts';

/** A client of one tenant of one Hatchet server (or gateway, or embedded engine). */
export interface Hatchet {
  readonly runs: RunsClient;
  /** The tenant; `default` until a token function has given a token that names it. */
  readonly tenantId: string;
  /** Ends what is under way with a `ConfigError`, closes every socket, and refuses what comes later. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes a client. Sends nothing.
 *
 * Settings come from the options, then from the environment (`HATCHET_CLIENT_TOKEN` and friends, as in the official SDKs),
 * then from the token. This is the only function of the library that throws.
 *
 * @throws ConfigError if a setting is missing or wrong; the message names it and never holds the token
 * @example
 * ```ts
 * await using hatchet = createHatchet();
 * hatchet.runs.listWithPagination({ statuses: ['FAILED'] }).subscribe((run) => console.log(run.displayName));
 * ```
 */
export function createHatchet(options: HatchetOptions = {}): Hatchet {
  const config = resolveConfig(options, environment(), createTransport);
  const closed = new Subject<never>();
  const exchange = createExchange(config);
  const shared = {
    exchange,
    namespace: config.namespace,
    pollIntervalMs: config.pollIntervalMs,
    waitTimeoutMs: config.waitTimeoutMs,
    diagnose: config.diagnose,
    memory: createRunMemory(),
    knownWorkflows: createKnownWorkflows(exchange),
    guard: <A>(operation: Observable<A>) => operation.pipe(takeUntil(closed)),
  };
  const events = config.events.connect({
    credentials: config.credentials,
    exchange,
    transport: config.transport,
    headers: config.headers,
    retry: config.retry,
    timeoutMs: config.timeoutMs,
    diagnose: config.diagnose,
    watch: (runId) =>
      watchUntilEnded(shared, 'runs.subscribeToStream', runId).pipe(
        map(({ status, ending }) => ({ status, final: ending !== undefined })),
      ),
  });
  const context = { ...shared, events, replayLane: createReplayLane(shared) };
  const runs = createRunsClient(context);
  const close = async () => {
    if (!closed.closed && !closed.hasError) closed.error(new ConfigError('the client was closed'));
    await Promise.all([events.close(), config.transport.close()]);
  };
  const hatchet: Hatchet = {
    runs,
    get tenantId() {
      return config.credentials.current()?.tenantId ?? config.tenantId;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return withInternals(hatchet, context);
}

/** The process's environment; empty in a browser. */
function environment(): Readonly<Record<string, string | undefined>> {
  return typeof process === 'object' && typeof process.env === 'object' ? process.env : {};
}
