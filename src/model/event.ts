import { Mismatch, date, numberOrZero, objectOf, optional, type Reader, text, textOrEmpty } from './reader.ts';
import { isRecord } from './json.ts';
import { readStatus, type V1TaskStatus } from './status.ts';

/** A piece of the text that a task streams. At most once, and in order per attempt of a task. */
export interface ChunkEvent {
  readonly type: 'chunk';
  readonly runId: string;
  readonly taskRunId: string;
  /** 0 for the first attempt; a retry or replay streams from the beginning. */
  readonly retryCount: number;
  /** Its number within the attempt, from 0, where the worker numbers its chunks. */
  readonly index?: number;
  readonly text: string;
  /** By the worker's clock. */
  readonly time: Date;
  /** The resume point after this event, where the source has one. */
  readonly id?: string;
}

/** Something happened to a task. */
export interface TaskLifecycleEvent {
  readonly type: 'task';
  readonly event: 'started' | 'completed' | 'failed' | 'cancelled' | (string & {});
  readonly runId: string;
  readonly taskRunId: string;
  readonly retryCount: number;
  readonly time: Date;
  readonly id?: string;
}

/** The run has ended, as the run itself says. The last event; then the stream completes. */
export interface FinishedEvent {
  readonly type: 'finished';
  readonly runId: string;
  readonly status: V1TaskStatus;
  /** `verified`: proved that no last chunk is missing. `unverified`: nothing is known to be missing. */
  readonly tail: 'verified' | 'unverified';
  readonly time: Date;
  readonly id?: string;
}

/** Chunks are lost, or may be. */
export interface GapEvent {
  readonly type: 'gap';
  readonly runId: string;
  readonly taskRunId?: string;
  /** Why, in words. */
  readonly reason: string;
  /** The first number that is missing, if known. */
  readonly from?: number;
  /** The last number that is missing, if known. */
  readonly to?: number;
  readonly id?: string;
}

/** An event of a run, told apart by `type`. */
export type RunEvent = ChunkEvent | TaskLifecycleEvent | FinishedEvent | GapEvent;

const common = { runId: text, id: optional(text) as Reader<string> };

const READERS: { readonly [K in RunEvent['type']]: Reader<Extract<RunEvent, { readonly type: K }>> } = {
  chunk: objectOf<ChunkEvent>({ ...common, taskRunId: text, retryCount: numberOrZero, text: textOrEmpty, time: date }),
  task: objectOf<TaskLifecycleEvent>({ ...common, taskRunId: text, retryCount: numberOrZero, event: text, time: date }),
  finished: objectOf<FinishedEvent>({
    ...common,
    status: readStatus,
    tail: (value) => (value === 'verified' ? 'verified' : 'unverified'),
    time: date,
  }),
  gap: objectOf<GapEvent>({ ...common, reason: textOrEmpty }),
};

/** Reads an event from the JSON that gateways send. A type of a newer gateway reads as `undefined`. */
export const readRunEvent: Reader<RunEvent | undefined> = (value) => {
  if (!isRecord(value)) throw new Mismatch('an event', value);
  const { type } = value;
  return type === 'chunk' || type === 'task' || type === 'finished' || type === 'gap'
    ? READERS[type](value)
    : undefined;
};
