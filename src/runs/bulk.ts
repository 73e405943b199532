import {
  asyncScheduler,
  bufferCount,
  concat,
  concatMap,
  defer,
  from,
  map,
  type Observable,
  of,
  reduce,
  switchMap,
  timer,
  toArray,
} from 'rxjs';
import { ConfigError, type HatchetError } from '../error/errors.ts';
import { type AppliedFilter, applyFilter, checkRunId, checkWhole, type RunFilter } from '../model/filter.ts';
import { isRecord } from '../model/json.ts';
import type { V1TaskStatus } from '../model/status.ts';
import { type BulkOutcome, NOTHING_DONE, together } from './bulk-outcome.ts';
import { cancelAll, idsOrThrow } from './cancel.ts';
import type { RunsContext } from './context.ts';
import { idsOf, withWorkflowIds } from './list.ts';
import { replayAll, replayedOrThrow } from './replay.ts';
import { piecesOf } from './take-effect.ts';

/** Which runs to act on: by their ids, or all that a filter selects. Never both, never neither. */
export type RunSelection =
  | { readonly ids: readonly string[]; readonly filters?: never }
  | { readonly filters: RunFilter; readonly ids?: never };

/** Options of the bulk streams. The filter fields mean what they mean in `RunFilter`. */
export interface BulkOptions {
  /** The pause between two chunks, in milliseconds; `adaptive` pauses as long as the last chunk took. Default 3,000. */
  readonly sleepTime?: number | 'adaptive' | undefined;
  /** Runs per chunk. Default 500. */
  readonly chunkSize?: number | undefined;
  readonly since?: Date | undefined;
  readonly until?: Date | undefined;
  /** Default: RUNNING and QUEUED for a cancel, FAILED and CANCELLED for a replay. */
  readonly statuses?: readonly V1TaskStatus[] | undefined;
  readonly additionalMetadata?: Readonly<Record<string, string>> | undefined;
  readonly matchMetadata?: 'all' | 'any' | undefined;
  readonly workflowIds?: readonly string[] | undefined;
  readonly workflowNames?: readonly string[] | undefined;
  /** Tell what would be done, and do nothing. Default false. */
  readonly dryRun?: boolean | undefined;
  /** Look whether it took effect, send it again where not, and tell in the end what failed. Default true. */
  readonly verify?: boolean | undefined;
}

/** What a bulk stream tells. Every run of the plan is in exactly one chunk or failure. */
export type BulkEvent =
  | {
      /** First: what will be worked on. */
      readonly type: 'plan';
      readonly total: number;
      readonly since: Date;
      readonly until: Date;
    }
  | {
      /** A chunk was worked on. */
      readonly type: 'chunk';
      /** Counts from 0. */
      readonly index: number;
      /** The runs of the chunk that did not fail. */
      readonly ids: readonly string[];
      /** Those of them that the action took effect on; the others ended by themselves before. */
      readonly affected: readonly string[];
      /** Runs worked on so far, failed ones included. */
      readonly done: number;
      readonly total: number;
    }
  | {
      /** Runs of a chunk failed, all for this reason; the rest goes on. */
      readonly type: 'failure';
      readonly index: number;
      readonly ids: readonly string[];
      readonly error: HatchetError;
      readonly done: number;
      readonly total: number;
    }
  | {
      /** Last. `failedIds` is what a next `bulkCancel({ ids })` would take. */
      readonly type: 'done';
      readonly total: number;
      readonly affected: number;
      readonly failed: number;
      readonly failedIds: readonly string[];
    };

/** What is done to runs in bulk. */
interface BulkAction {
  readonly statuses: readonly V1TaskStatus[];
  readonly act: (
    context: RunsContext,
    operation: string,
    ids: readonly string[],
    how: { readonly verify: boolean; readonly since?: Date },
  ) => Observable<BulkOutcome>;
  readonly idsOrThrow: (operation: string, outcome: BulkOutcome) => string[];
}

export const CANCEL: BulkAction = { statuses: ['RUNNING', 'QUEUED'], act: cancelAll, idsOrThrow };
export const REPLAY: BulkAction = { statuses: ['FAILED', 'CANCELLED'], act: replayAll, idsOrThrow: replayedOrThrow };

const DEFAULT_SLEEP_MS = 3_000;
const DEFAULT_CHUNK = 500;

/** [hatchet] 110,000 ids fit into one call; fewer keep its answer quick. */
const IDS_PER_PIECE = 20_000;

/** Fields that select tasks: a run is cancelled or replayed as a whole. */
const NOT_FOR_BULK = ['onlyTasks', 'workerId'] as const;

/** See `RunsClient.bulkCancel` and `RunsClient.bulkReplay`. */
export function actOnSelection(
  context: RunsContext,
  operation: string,
  action: BulkAction,
  selection: RunSelection,
): Observable<string[]> {
  return defer(() => {
    const selected = selectedIds(context, operation, action, selection);
    return selected.pipe(
      switchMap(({ ids, since }) =>
        from(piecesOf(ids, IDS_PER_PIECE)).pipe(
          concatMap((piece) => action.act(context, operation, piece, { verify: true, ...since })),
          reduce(together, NOTHING_DONE),
        ),
      ),
      map((outcome) => action.idsOrThrow(operation, outcome)),
    );
  });
}

/** See `RunsClient.bulkCancelByFiltersWithPagination` and `RunsClient.bulkReplayByFiltersWithPagination`. */
export function actByFilters(
  context: RunsContext,
  operation: string,
  action: BulkAction,
  options: BulkOptions = {},
): Observable<BulkEvent> {
  return defer(() => {
    const {
      sleepTime = DEFAULT_SLEEP_MS,
      chunkSize = DEFAULT_CHUNK,
      dryRun = false,
      verify = true,
      ...filter
    } = options;
    checkWhole(operation, 'chunkSize', chunkSize, 1);
    if (sleepTime !== 'adaptive' && (typeof sleepTime !== 'number' || !Number.isFinite(sleepTime) || sleepTime < 0)) {
      const message = `${operation}: sleepTime must be milliseconds from 0 on, or "adaptive", not ${String(sleepTime)}`;
      throw new ConfigError(message, { operation });
    }
    const applied = bulkFilter(operation, action, filter);
    return withWorkflowIds(context, operation, applied).pipe(
      switchMap((resolved) => allIds(context, operation, resolved)),
      switchMap((ids) => {
        const plan = {
          total: ids.length,
          since: applied.since,
          until: applied.until ?? new Date(asyncScheduler.now()),
        };
        const act = (chunk: readonly string[]) =>
          dryRun ? of(untouched(chunk)) : action.act(context, operation, chunk, { verify, since: applied.since });
        const pace = dryRun ? 0 : sleepTime;
        return concat(of<BulkEvent>({ type: 'plan', ...plan }), chunks(context, operation, ids, chunkSize, pace, act));
      }),
    );
  });
}

/** Chunk after chunk, with a pause between two of them, and the sum at the end. */
function chunks(
  context: RunsContext,
  operation: string,
  ids: readonly string[],
  chunkSize: number,
  sleepTime: number | 'adaptive',
  act: (chunk: readonly string[]) => Observable<BulkOutcome>,
): Observable<BulkEvent> {
  return defer(() => {
    const total = ids.length;
    const failedIds: string[] = [];
    let affected = 0;
    let done = 0;
    let lastTookMs = 0;

    const pause = (): Observable<unknown> => {
      const ms = sleepTime === 'adaptive' ? lastTookMs : sleepTime;
      if (ms === 0) return of(undefined);
      context.diagnose?.({ type: 'wait', operation, ms, reason: 'between-chunks' });
      return timer(ms);
    };

    const work = (chunk: readonly string[], index: number): Observable<BulkEvent> =>
      (index === 0 ? of(undefined) : defer(pause)).pipe(
        switchMap(() => {
          const startedAt = asyncScheduler.now();
          return act(chunk).pipe(
            concatMap((outcome) => {
              lastTookMs = asyncScheduler.now() - startedAt;
              const failed = new Set(outcome.failures.map(({ runId }) => runId));
              failedIds.push(...failed);
              affected += outcome.affected.length;
              const good = chunk.filter((id) => !failed.has(id));
              done += good.length;
              const told: BulkEvent[] = [];
              if (good.length > 0)
                told.push({ type: 'chunk', index, ids: good, affected: outcome.affected, done, total });
              for (const group of byReason(outcome)) {
                done += group.ids.length;
                told.push({ type: 'failure', index, ...group, done, total });
              }
              return told;
            }),
          );
        }),
      );

    return concat(
      from(ids).pipe(bufferCount(chunkSize), concatMap(work)),
      defer(() => of<BulkEvent>({ type: 'done', total, affected, failed: failedIds.length, failedIds })),
    );
  });
}

/** Failures of one chunk, grouped by their kind and status. */
function byReason({
  failures,
}: BulkOutcome): readonly { readonly ids: readonly string[]; readonly error: HatchetError }[] {
  const groups = new Map<string, { readonly ids: string[]; readonly error: HatchetError }>();
  for (const { runId, error } of failures) {
    const reason = `${error._tag} ${error.status ?? ''}`;
    const group = groups.get(reason);
    if (group === undefined) groups.set(reason, { ids: [runId], error });
    else group.ids.push(runId);
  }
  return [...groups.values()];
}

function untouched(ids: readonly string[]): BulkOutcome {
  return { ...NOTHING_DONE, finished: ids };
}

function allIds(context: RunsContext, operation: string, applied: AppliedFilter): Observable<readonly string[]> {
  return idsOf(context, operation, applied).pipe(
    toArray(),
    map((pieces) => pieces.flat()),
  );
}

function bulkFilter(operation: string, action: BulkAction, filter: RunFilter): AppliedFilter {
  const wrong = NOT_FOR_BULK.find((name) => filter[name] !== undefined);
  if (wrong !== undefined) {
    throw new ConfigError(`${operation}: ${wrong} selects tasks, but runs are what is acted on`, { operation });
  }
  return applyFilter(operation, { statuses: action.statuses, ...withoutUndefined(filter) }, asyncScheduler.now());
}

function withoutUndefined(filter: RunFilter): RunFilter {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

function selectedIds(
  context: RunsContext,
  operation: string,
  action: BulkAction,
  selection: RunSelection,
): Observable<{ readonly ids: readonly string[]; readonly since: { readonly since?: Date } }> {
  const { ids, filters } = checkedSelection(operation, selection);
  if (ids !== undefined) return of({ ids: [...new Set(ids)], since: {} });
  const applied = bulkFilter(operation, action, filters);
  return withWorkflowIds(context, operation, applied).pipe(
    switchMap((resolved) => allIds(context, operation, resolved)),
    map((found) => ({ ids: found, since: { since: applied.since } })),
  );
}

/** [hatchet] An empty selection is answered with success; a filter without fields hits everything there is. */
function checkedSelection(operation: string, selection: unknown): RunSelection {
  const { ids, filters } = isRecord(selection) ? selection : {};
  if ((ids === undefined) === (filters === undefined)) {
    throw new ConfigError(`${operation}: select runs with either { ids } or { filters }`, { operation });
  }
  if (filters !== undefined) {
    if (!isRecord(filters) || Object.values(filters).every(isNothing)) {
      throw new ConfigError(`${operation}: the filter is empty; it would select every run of the last day`, {
        operation,
      });
    }
    return { filters };
  }
  if (!Array.isArray(ids) || ids.length === 0) {
    throw new ConfigError(`${operation}: ids must be a non-empty array`, { operation });
  }
  for (const id of ids) checkRunId(operation, id);
  return { ids };
}

function isNothing(value: unknown): boolean {
  return value === undefined || (isRecord(value) && !(value instanceof Date) && Object.keys(value).length === 0);
}
