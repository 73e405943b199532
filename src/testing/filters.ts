import type { JsonObject, JsonValue } from './json.ts';
import { listStatus } from './shapes.ts';
import { STATUSES, windowOf } from './store.ts';
import type { Run, Status, Task } from './store.ts';

/** Which runs are meant. */
export interface RunFilter {
  /** Microseconds; undefined = no runs at all, as on the server. */
  readonly sinceUs: number | undefined;
  readonly sinceInclusive: boolean;
  readonly untilUs: number | undefined;
  /** undefined = every status. */
  readonly statuses: ReadonlySet<Status> | undefined;
  /** undefined = every workflow. */
  readonly workflowIds: ReadonlySet<string> | undefined;
  readonly metadata: MetadataFilter | undefined;
  readonly parentTaskId: string | undefined;
  readonly eventId: string | undefined;
  /** Nothing the engine runs has an idempotency key, so that asking for one finds nothing. */
  readonly idempotencyKeys: boolean;
}

/** Pairs of key and value; all of them or any of them must fit. */
export interface MetadataFilter {
  readonly pairs: readonly (readonly [key: string, value: string])[];
  readonly all: boolean;
}

/** The known ones of `names`; undefined when there is none, which means every status. */
export const readStatuses = (names: readonly string[], runningFilter?: string): Set<Status> | undefined => {
  const known = STATUSES.filter((status) => names.includes(status));
  // [hatchet] unknown statuses are dropped, and with none left the filter is off
  const statuses = new Set(known.length > 0 ? known : STATUSES);
  // [hatchet] the engine has no evicted tasks, so that EVICTED takes away what is RUNNING
  if (runningFilter === 'EVICTED' && (names.length === 0 || known.includes('RUNNING'))) statuses.delete('RUNNING');
  return statuses.size === STATUSES.length ? undefined : statuses;
};

/** Reads `key:value` texts; `all` = every pair must fit. */
export const readMetadata = (texts: readonly string[], all: boolean): MetadataFilter | undefined => {
  const pairs = new Map<string, string>();
  for (const text of texts) {
    const colon = text.indexOf(':');
    // [hatchet] without a colon: ignored; the same key twice: the last wins
    if (colon >= 0) pairs.set(text.slice(0, colon), text.slice(colon + 1));
  }
  return pairs.size === 0 ? undefined : { pairs: [...pairs], all };
};

const asText = (value: JsonValue | undefined): string | undefined => {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
};

const fitsMetadata = (metadata: JsonObject, { pairs, all }: MetadataFilter): boolean => {
  // [hatchet] one pair, or AND: compared as a JSON string, so that a stored number never fits
  if (all || pairs.length === 1) return pairs.every(([key, value]) => metadata[key] === value);
  // [hatchet] OR of two or more: compared as text, so that it does
  return pairs.some(([key, value]) => asText(metadata[key]) === value);
};

/** Whether a run fits, but for the window. */
const fitsRun = (run: Run, status: Status, filter: RunFilter): boolean =>
  (filter.statuses === undefined || filter.statuses.has(status)) &&
  (filter.workflowIds === undefined || filter.workflowIds.has(run.workflow.id)) &&
  (filter.metadata === undefined || fitsMetadata(run.metadata, filter.metadata)) &&
  (filter.parentTaskId === undefined || run.parentTaskId === filter.parentTaskId) &&
  (filter.eventId === undefined || run.metadata['hatchet__event_id'] === filter.eventId);

const isOpen = (filter: RunFilter): boolean =>
  filter.statuses === undefined &&
  filter.workflowIds === undefined &&
  filter.metadata === undefined &&
  filter.parentTaskId === undefined &&
  filter.eventId === undefined;

/** One page of what fits, newest first, and how many fit in all (counted up to `countCap`). */
export interface Page<A> {
  readonly rows: readonly A[];
  readonly count: number;
}

const page = <A extends { readonly createdUs: number }>(
  items: readonly A[],
  filter: RunFilter,
  fits: (item: A) => boolean,
  limit: number,
  offset: number,
  countCap: number,
): Page<A> => {
  // [hatchet] without `since` there is nothing, and no complaint
  if (filter.sinceUs === undefined || filter.idempotencyKeys) return { rows: [], count: 0 };
  const [from, to] = windowOf(items, filter.sinceUs, filter.sinceInclusive, filter.untilUs ?? Number.POSITIVE_INFINITY);
  const rows: A[] = [];
  if (isOpen(filter)) {
    const first = to - 1 - offset;
    for (let index = first; index >= from && rows.length < limit; index -= 1) {
      const item = items[index];
      if (item !== undefined) rows.push(item);
    }
    return { rows, count: Math.min(to - from, countCap) };
  }
  let count = 0;
  for (let index = to - 1; index >= from; index -= 1) {
    const item = items[index];
    if (item === undefined || !fits(item)) continue;
    if (count >= offset && rows.length < limit) rows.push(item);
    count += 1;
    if (count >= countCap && rows.length >= limit) break;
  }
  return { rows, count: Math.min(count, countCap) };
};

// [hatchet] rows are counted up to here, so that num_pages is too small beyond
const COUNT_CAP = 20_000;

/** A page of runs. */
export const pageOfRuns = (runs: readonly Run[], filter: RunFilter, limit: number, offset: number): Page<Run> =>
  page(runs, filter, (run) => fitsRun(run, listStatus(run), filter), limit, offset, COUNT_CAP);

/** A page of tasks. */
export const pageOfTasks = (
  tasks: readonly Task[],
  filter: RunFilter & { readonly onWorker: boolean | undefined },
  limit: number,
  offset: number,
): Page<Task> => {
  const { onWorker } = filter;
  // A filter on the worker must not take the short cut of an open window.
  const open = onWorker === undefined ? filter : { ...filter, statuses: filter.statuses ?? new Set(STATUSES) };
  return page(
    tasks,
    open,
    (task) =>
      fitsRun(task.run, task.attempt.status, open) &&
      (onWorker === undefined || (onWorker && task.attempt.startedUs !== 0)),
    limit,
    offset,
    COUNT_CAP,
  );
};

/** All runs that fit, newest first, at most `limit`. */
export const allRuns = (
  runs: readonly Run[],
  filter: RunFilter,
  limit: number = Number.POSITIVE_INFINITY,
): readonly Run[] => page(runs, filter, (run) => fitsRun(run, listStatus(run), filter), limit, 0, limit).rows;
