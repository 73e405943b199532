import * as t from 'io-ts';
import { Mismatch, type Reader } from './reader.ts';

/** The statuses that a filter may name. [hatchet] A filter with an unknown one is switched off without a sign. */
export const KNOWN_STATUSES = ['QUEUED', 'RUNNING', 'COMPLETED', 'CANCELLED', 'FAILED'] as const;

/** A status that this version knows. */
export type KnownTaskStatus = (typeof KNOWN_STATUSES)[number];

/** The status of a run or task. A status of a newer server reads as `UNKNOWN:<its text>` and is not terminal. */
export type V1TaskStatus = KnownTaskStatus | `UNKNOWN:${string}`;

const KNOWN: ReadonlySet<string> = new Set(KNOWN_STATUSES);

/** Whether `value` is one of the statuses that filters may name. */
export function isKnownStatus(value: unknown): value is KnownTaskStatus {
  return typeof value === 'string' && KNOWN.has(value);
}

/**
 * Whether a run with this status has stopped. [hatchet] Not the same as "final": a `FAILED` run may have retries
 * left, and a replay revives any run. `WorkflowRunRef.result$` tells these apart.
 */
export function isTerminal(status: V1TaskStatus): status is 'COMPLETED' | 'CANCELLED' | 'FAILED' {
  return status === 'COMPLETED' || status === 'CANCELLED' || status === 'FAILED';
}

export const readStatus: Reader<V1TaskStatus> = (value) => {
  if (typeof value !== 'string') throw new Mismatch('a status', value);
  if (isKnownStatus(value)) return value;
  return isUnknownStatus(value) ? value : `UNKNOWN:${value}`;
};

/** The codec of a status. */
export const V1TaskStatusCodec: t.Type<V1TaskStatus, string, unknown> = new t.Type(
  'V1TaskStatus',
  (value): value is V1TaskStatus => isKnownStatus(value) || isUnknownStatus(value),
  (value, context) =>
    typeof value === 'string' ? t.success(readStatus(value)) : t.failure(value, context, 'a status'),
  (status) => status,
);

function isUnknownStatus(value: unknown): value is `UNKNOWN:${string}` {
  return typeof value === 'string' && value.startsWith('UNKNOWN:');
}
