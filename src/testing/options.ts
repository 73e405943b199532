import type { Amount } from './random.ts';

/** How {@link startEngine} sets the engine up. Every field may be left out. */
export interface EngineOptions {
  /** From which ids and delays are drawn; the same seed gives the same sequence. @defaultValue 1 */
  readonly seed?: number | undefined;
  /** TCP port on 127.0.0.1; 0 takes a free one. @defaultValue 0 */
  readonly port?: number | undefined;
  /** The token that is accepted. @defaultValue a JWT-shaped one that names the tenant and the url */
  readonly token?: string | undefined;
  /** The tenant's uuid. @defaultValue drawn from the seed */
  readonly tenantId?: string | undefined;
  /** Milliseconds every answer is held back. @defaultValue 0 */
  readonly latencyMs?: Amount | undefined;
  /**
   * Milliseconds after its trigger in which a run cannot be read (404) and is on no list, as the server's read model
   * lags behind. Large values act like a server under bulk load. @defaultValue [5, 30]
   */
  readonly visibilityDelayMs?: Amount | undefined;
  /**
   * Milliseconds by which the state of a *run* (`/status`, `run` in details, DAG rows) lags behind that of its tasks.
   * @defaultValue [1, 8]
   */
  readonly statusLagMs?: Amount | undefined;
  /** Milliseconds from QUEUED to the start of a task when a worker slot is free. @defaultValue [1, 5] */
  readonly scheduleDelayMs?: Amount | undefined;
  /** Milliseconds from the answer of a cancel to its effect. @defaultValue [1, 5] */
  readonly cancelDelayMs?: Amount | undefined;
  /** A cancel that takes effect before the run is stored is echoed and lost, as on the server. @defaultValue true */
  readonly lostCancels?: boolean | undefined;
  /**
   * Milliseconds from a trigger until the run is stored, for {@link EngineOptions.lostCancels}: large values lose every
   * cancel that follows its trigger closely. A run that can be read is stored. @defaultValue [0, 3]
   */
  readonly storeDelayMs?: Amount | undefined;
  /**
   * Replays are lost as on the server: in one call the third and later batches of 100, and whole calls that come while
   * another one is at work. @defaultValue true
   */
  readonly lostReplays?: boolean | undefined;
  /** Milliseconds a replay call takes for each batch of 100 tasks. @defaultValue 200 */
  readonly replayBatchPauseMs?: number | undefined;
  /**
   * Milliseconds from the end of a replayed step to the new attempt of the step after it, in which the run is called
   * COMPLETED (or FAILED) because of that step's old end. @defaultValue [20, 100]
   */
  readonly replayedStepDelayMs?: Amount | undefined;
  /** Worker slots: as many tasks run at once, the others wait QUEUED. @defaultValue 100 */
  readonly concurrency?: number | undefined;
  /** Milliseconds a failed attempt is seen as FAILED before its retry. @defaultValue [4, 80] */
  readonly retryDelayMs?: Amount | undefined;
  /** Milliseconds that one second of a workflow's `backoff` takes; small values shorten tests. @defaultValue 1000 */
  readonly backoffSecondMs?: number | undefined;
  /** Milliseconds between two looks of a blocking trigger, which gives up after ten. @defaultValue 1000 */
  readonly blockingPollMs?: number | undefined;
  /** The longest silence on an event stream, in milliseconds. @defaultValue 15000 */
  readonly heartbeatMs?: number | undefined;
  /** How many requests `engine.requests` keeps: the newest ones, and for a while some more. @defaultValue 10000 */
  readonly keepRequests?: number | undefined;
}

/** {@link EngineOptions} with every default filled in. */
export type ResolvedOptions = {
  readonly [K in Exclude<keyof EngineOptions, 'token' | 'tenantId'>]-?: Exclude<EngineOptions[K], undefined>;
} & Pick<EngineOptions, 'token' | 'tenantId'>;

/** Fills in the defaults. */
export const resolveOptions = (options: EngineOptions): ResolvedOptions => ({
  seed: options.seed ?? 1,
  port: options.port ?? 0,
  token: options.token,
  tenantId: options.tenantId,
  latencyMs: options.latencyMs ?? 0,
  visibilityDelayMs: options.visibilityDelayMs ?? [5, 30],
  statusLagMs: options.statusLagMs ?? [1, 8],
  scheduleDelayMs: options.scheduleDelayMs ?? [1, 5],
  cancelDelayMs: options.cancelDelayMs ?? [1, 5],
  lostCancels: options.lostCancels ?? true,
  storeDelayMs: options.storeDelayMs ?? [0, 3],
  lostReplays: options.lostReplays ?? true,
  replayBatchPauseMs: options.replayBatchPauseMs ?? 200,
  replayedStepDelayMs: options.replayedStepDelayMs ?? [20, 100],
  concurrency: options.concurrency ?? 100,
  retryDelayMs: options.retryDelayMs ?? [4, 80],
  backoffSecondMs: options.backoffSecondMs ?? 1000,
  blockingPollMs: options.blockingPollMs ?? 1000,
  heartbeatMs: options.heartbeatMs ?? 15_000,
  keepRequests: options.keepRequests ?? 10_000,
});
