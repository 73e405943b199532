import {
  asyncScheduler,
  bufferCount,
  catchError,
  concat,
  concatMap,
  defer,
  EMPTY,
  from,
  map,
  type Observable,
  of,
  reduce,
  switchMap,
  throwError,
  timer,
  toArray,
} from 'rxjs';
import { duration } from '../config.ts';
import { ConfigError, type HatchetError, isHatchetError } from '../error/errors.ts';
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
      /** First: what will be worked on. Runs that become readable only later add to the `total` of the events that follow. */
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
  /**
   * Whether runs that the filter selects after all chunks, and did not before, are to be acted on too. [hatchet] Runs become
   * readable some time after their creation; a run that fails meanwhile, however, was not meant.
   */
  readonly findsLateRuns: boolean;
  readonly act: (
    context: RunsContext,
    operation: string,
    ids: readonly string[],
    how: { readonly verify: boolean; readonly since?: Date },
  ) => Observable<BulkOutcome>;
  readonly idsOrThrow: (operation: string, outcome: BulkOutcome) => string[];
}

export const CANCEL: BulkAction = { statuses: ['RUNNING', 'QUEUED'], findsLateRuns: true, act: cancelAll, idsOrThrow };
export const REPLAY: BulkAction = {
  statuses: ['FAILED', 'CANCELLED'],
  findsLateRuns: false,
  act: replayAll,
  idsOrThrow: replayedOrThrow,
};

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
    const { ids, filters } = checkedSelection(operation, selection);
    if (ids !== undefined) return actOn(context, operation, action, [...new Set(ids)]);
    const applied = bulkFilter(operation, action, filters);
    const until = applied.until ?? new Date(asyncScheduler.now());
    return withWorkflowIds(context, operation, applied).pipe(
      switchMap((resolved) => {
        const seen = new Set<string>();
        /** What the filter selects and nothing was done to yet; after the first time, runs that showed up late. */
        const work = (filter: AppliedFilter): Observable<BulkOutcome> =>
          allIds(context, operation, filter).pipe(
            switchMap((selected) => {
              const fresh = selected.filter((id) => !seen.has(id));
              for (const id of fresh) seen.add(id);
              if (fresh.length === 0) return of(NOTHING_DONE);
              const first = actOn(context, operation, action, fresh, applied.since);
              return action.findsLateRuns ? concat(first, work({ ...resolved, until })) : first;
            }),
          );
        return work(resolved);
      }),
    );
  }).pipe(
    reduce(together, NOTHING_DONE),
    map((outcome) => action.idsOrThrow(operation, outcome)),
  );
}

/** Acts on runs in pieces that one call can hold. */
function actOn(
  context: RunsContext,
  operation: string,
  action: BulkAction,
  ids: readonly string[],
  since?: Date,
): Observable<BulkOutcome> {
  return from(piecesOf(ids, IDS_PER_PIECE)).pipe(
    concatMap((piece) =>
      action.act(context, operation, piece, { verify: true, ...(since === undefined ? {} : { since }) }),
    ),
  );
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
    if (sleepTime !== 'adaptive' && sleepTime !== 0) duration(sleepTime, `${operation}: sleepTime`);
    const applied = bulkFilter(operation, action, filter);
    const until = applied.until ?? new Date(asyncScheduler.now());
    const act = (chunk: readonly string[]) =>
      dryRun ? of(untouched(chunk)) : action.act(context, operation, chunk, { verify, since: applied.since });
    return withWorkflowIds(context, operation, applied).pipe(
      switchMap((resolved) =>
        allIds(context, operation, resolved).pipe(
          switchMap((ids) =>
            concat(
              of<BulkEvent>({ type: 'plan', total: ids.length, since: applied.since, until }),
              chunkByChunk(context, {
                operation,
                ids,
                chunkSize,
                pauseMs: dryRun ? 0 : sleepTime,
                act,
                late:
                  action.findsLateRuns && verify && !dryRun
                    ? allIds(context, operation, { ...resolved, until })
                    : EMPTY,
              }),
            ),
          ),
        ),
      ),
    );
  });
}

/** A bulk stream after its plan. */
interface BulkWork {
  readonly operation: string;
  readonly ids: readonly string[];
  readonly chunkSize: number;
  readonly pauseMs: number | 'adaptive';
  readonly act: (chunk: readonly string[]) => Observable<BulkOutcome>;
  /** What the filter selects now, to find runs that were not readable yet when the ids were pulled. */
  readonly late: Observable<readonly string[]>;
}

/** Chunk after chunk, with a pause between two of them, then the runs that showed up late, and the sum at the end. */
function chunkByChunk(
  context: RunsContext,
  { operation, ids, chunkSize, pauseMs, act, late }: BulkWork,
): Observable<BulkEvent> {
  return defer(() => {
    const planned = new Set<string>();
    const failedIds: string[] = [];
    let index = 0;
    let affected = 0;
    let done = 0;
    let lastTookMs = 0;

    const pause = (): Observable<unknown> => {
      const ms = pauseMs === 'adaptive' ? lastTookMs : pauseMs;
      if (index === 0 || ms === 0) return of(undefined);
      context.diagnose?.({ type: 'wait', operation, ms, reason: 'between-chunks' });
      return timer(ms);
    };

    /** What a chunk's outcome tells: the runs that did not fail, then a failure for each reason. */
    const told = (chunk: readonly string[], outcome: BulkOutcome): readonly BulkEvent[] => {
      const total = planned.size;
      const failed = new Set(outcome.failures.map(({ runId }) => runId));
      const good = chunk.filter((id) => !failed.has(id));
      const events: BulkEvent[] = [];
      failedIds.push(...failed);
      affected += outcome.affected.length;
      done += good.length;
      if (good.length > 0) {
        events.push({ type: 'chunk', index, ids: good, affected: outcome.affected, done, total });
      }
      for (const group of byReason(outcome)) {
        done += group.ids.length;
        events.push({ type: 'failure', index, ...group, done, total });
      }
      index += 1;
      return events;
    };

    const work = (chunk: readonly string[]): Observable<BulkEvent> =>
      defer(pause).pipe(
        switchMap(() => {
          const startedAt = asyncScheduler.now();
          return act(chunk).pipe(
            concatMap((outcome) => {
              lastTookMs = asyncScheduler.now() - startedAt;
              return told(chunk, outcome);
            }),
          );
        }),
      );

    /** Works on the runs that no chunk has had yet, and then on those that have shown up meanwhile. */
    const workOn = (selected: readonly string[], next: Observable<readonly string[]>): Observable<BulkEvent> => {
      const fresh = selected.filter((id) => !planned.has(id));
      for (const id of fresh) planned.add(id);
      const more = next.pipe(
        switchMap((found) => (found.every((id) => planned.has(id)) ? EMPTY : workOn(found, late))),
        // The plan has been carried out; a look for late runs that fails takes nothing of it back.
        catchError((error: unknown) => (isHatchetError(error) ? EMPTY : throwError(() => error))),
      );
      return concat(from(fresh).pipe(bufferCount(chunkSize), concatMap(work)), more);
    };

    return concat(
      workOn(ids, late),
      defer(() => of<BulkEvent>({ type: 'done', total: planned.size, affected, failed: failedIds.length, failedIds })),
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

/** [hatchet] An empty selection is answered with success; a filter without fields hits everything there is. */
function checkedSelection(operation: string, selection: unknown): RunSelection {
  const { ids, filters } = isRecord(selection) ? selection : {};
  if ((ids === undefined) === (filters === undefined)) {
    throw new ConfigError(`${operation}: select runs with either { ids } or { filters }`, { operation });
  }
  if (filters !== undefined) {
    if (!isRecord(filters) || Object.entries(filters).every(selectsNothing)) {
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

/** Whether a filter's field leaves every run in. */
function selectsNothing([name, value]: readonly [string, unknown]): boolean {
  if (value === undefined || name === 'matchMetadata' || name === 'includePayloads') return true;
  return isRecord(value) && !(value instanceof Date) && Object.keys(value).length === 0;
}
