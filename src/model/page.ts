import { isRecord } from './json.ts';
import { attempt, Mismatch, type Reader } from './reader.ts';
import { readTaskSummary, type V1TaskSummary } from './run.ts';

/** [hatchet] `next_page` is always `current_page + 1` and `num_pages` is capped: neither tells where a list ends. */
export interface PaginationResponse {
  readonly current_page?: number;
  readonly next_page?: number;
  readonly num_pages?: number;
}

/** A row that is not what a row should be, reported beside the good ones. */
export interface RejectedRow {
  /** Its position in the server's answer. */
  readonly index: number;
  /** Where in the row, what was expected and what was found. */
  readonly reason: string;
  /** The row as it came. */
  readonly row: unknown;
}

/** Rows of one answer, the unreadable ones set aside. */
export interface Rows<A> {
  readonly rows: readonly A[];
  readonly rejected: readonly RejectedRow[];
  readonly pagination: PaginationResponse;
}

/** Where a row stands in the server's order: its creation time to the microsecond, as sent, and its id. */
export interface RowKey {
  readonly createdAt: string;
  readonly id: string;
}

/** Rows of runs, and the keys that paging goes by. */
export interface RunRows extends Rows<V1TaskSummary> {
  readonly keys: readonly RowKey[];
}

/** A reader for `{ pagination, rows }` in which one bad row does not spoil the others. */
export function rowsOf<A>(read: Reader<A>): Reader<Rows<A>> {
  return (value) => {
    const { rows: wire, pagination } = frameOf(value);
    const rows: A[] = [];
    const rejected: RejectedRow[] = [];
    for (const [index, row] of wire.entries()) {
      const result = attempt(read, row);
      if (result instanceof Mismatch) rejected.push({ index, reason: reasonOf(result), row });
      else rows.push(result);
    }
    return { rows, rejected, pagination };
  };
}

const readRows = rowsOf(readTaskSummary);

/** Reads a page of runs together with its keys. [hatchet] Many runs share a millisecond: a `Date` is too coarse. */
export const readRunRows: Reader<RunRows> = (value) => ({
  ...readRows(value),
  keys: frameOf(value).rows.flatMap(keyOf),
});

function keyOf(row: unknown): RowKey[] {
  const meta = isRecord(row) ? row['metadata'] : undefined;
  const { id, createdAt } = isRecord(meta) ? meta : {};
  return typeof id === 'string' && typeof createdAt === 'string' ? [{ id, createdAt }] : [];
}

function frameOf(value: unknown): { rows: readonly unknown[]; pagination: PaginationResponse } {
  if (!isRecord(value)) throw new Mismatch('a list', value);
  const rows = value['rows'] ?? [];
  if (!Array.isArray(rows)) throw new Mismatch('an array of rows', rows);
  return { rows, pagination: isRecord(value['pagination']) ? value['pagination'] : {} };
}

function reasonOf(mismatch: Mismatch): string {
  return `${mismatch.path.join('.') || 'the row'} is not ${mismatch.expected}`;
}
