import type { PageWindow } from '../http/endpoints.ts';
import type { RunRows } from '../model/page.ts';
import type { V1TaskSummary } from '../model/run.ts';

/**
 * Where a sweep stands.
 *
 * [hatchet] Runs are ordered by creation time (microseconds) and then by an internal id, newest first, and that order is
 * stable. Offsets from the top shift when runs arrive or leave the filter. So a sweep goes on from the creation time of its
 * last row (`until`, inclusive), and skips only the rows of that very time that it has: with an overlap of one row, which
 * shows whether the skipped ones are still the same.
 */
export interface SweepCursor {
  /** Number of the page, from 0. */
  readonly index: number;
  /** Creation time of the last row taken, as sent; on the first page the end of the window, if there is one. */
  readonly until: string | undefined;
  /** Ids of the rows taken that have this creation time, in order. */
  readonly taken: readonly string[];
  /** The rows to skip have changed: ask for all rows of this creation time once more. */
  readonly recheck: boolean;
}

/** The cursor of the first page. [hatchet] Without an end, what arrives later is newer than the first page: frozen too. */
export function startOf(until: Date | undefined): SweepCursor {
  return { index: 0, until: until?.toISOString(), taken: [], recheck: false };
}

/** What to ask for. */
export function pageRequest({ until, taken, recheck }: SweepCursor, pageSize: number): PageWindow {
  const overlap = recheck || taken.length === 0 ? 0 : 1;
  return { until, offset: recheck ? 0 : taken.length - overlap, limit: pageSize + (recheck ? taken.length : overlap) };
}

/** The rows of an answer that are new, and the cursor that follows; none at the end of the window. */
export function advance(
  cursor: SweepCursor,
  { rows, keys }: RunRows,
): { readonly taken: readonly V1TaskSummary[]; readonly next: SweepCursor | undefined } {
  const { index, until, taken, recheck } = cursor;
  const overlapId = taken.at(-1);
  // Rows before the overlap have left the filter, and as many unseen ones have moved up into the skipped places.
  if (overlapId !== undefined && !recheck && keys[0]?.id !== overlapId) {
    return { taken: [], next: { ...cursor, recheck: true } };
  }
  const old = new Set(taken);
  const fresh = keys.filter(({ id }) => !old.has(id));
  const last = fresh.at(-1);
  // [hatchet] A short page is not always the last one; a page without anything new is.
  if (last === undefined) return { taken: [], next: undefined };
  const ofLastTime = fresh.filter(({ createdAt }) => createdAt === last.createdAt).map(({ id }) => id);
  return {
    taken: rows.filter(({ metadata }) => !old.has(metadata.id)),
    next: {
      index: index + 1,
      until: last.createdAt,
      taken: last.createdAt === until ? [...taken, ...ofLastTime] : ofLastTime,
      recheck: false,
    },
  };
}
