import { Observable } from 'rxjs';
import { readMark } from '../events/stream-mark.ts';
import type { RunEvent, TaskLifecycleEvent } from '../model/event.ts';
import { isSettled } from './run-reading.ts';
import { isEnded } from './store.ts';
import type { Run, Store, StreamChunk, Task, TaskEvent } from './store.ts';

/** Whether the run has ended, for its readers too. */
const isOver = (run: Run): boolean => isSettled(run) && isEnded(run.reading.status);

const LIFECYCLE: Readonly<Record<string, TaskLifecycleEvent['event']>> = {
  STARTED: 'started',
  FINISHED: 'completed',
  FAILED: 'failed',
  TIMED_OUT: 'failed',
  CANCELLED: 'cancelled',
};

const timeOf = (micros: number): Date => new Date(Math.floor(micros / 1000));

/** Makes events of what is stored of one run. The store has every chunk, so that nothing is ever missing. */
const createReading = (run: Run) => {
  /** How many chunks each attempt of a task has streamed. */
  const counts = new Map<string, number>();
  const runId = run.externalId;
  return {
    ofTask(task: Task, { type, retryCount, micros }: TaskEvent): RunEvent[] {
      const event = LIFECYCLE[type];
      if (event === undefined) return [];
      return [{ type: 'task', event, runId, taskRunId: task.externalId, retryCount, time: timeOf(micros) }];
    },
    ofChunk(task: Task, { retryCount, micros, text }: StreamChunk): RunEvent[] {
      // What counts a stream is not part of it.
      if (readMark(text) !== undefined) return [];
      const taskRunId = task.externalId;
      const key = `${taskRunId} ${retryCount}`;
      const index = counts.get(key) ?? 0;
      counts.set(key, index + 1);
      return [{ type: 'chunk', runId, taskRunId, retryCount, index, text, time: timeOf(micros) }];
    },
    end: (): RunEvent => ({
      type: 'finished',
      runId,
      status: run.reading.status,
      tail: 'verified',
      time: timeOf(run.reading.finishedUs),
    }),
  };
};

/** The events of one run, from its first one on, until its end. */
export const runEventsOf = (store: Store, run: Run): Observable<RunEvent> =>
  new Observable((subscriber) => {
    const reading = createReading(run);
    const stored = run.tasks
      .flatMap((task) => [
        ...task.events.map((event) => ({ micros: event.micros, read: () => reading.ofTask(task, event) })),
        ...task.chunks.map((chunk) => ({ micros: chunk.micros, read: () => reading.ofChunk(task, chunk) })),
      ])
      .toSorted((a, b) => a.micros - b.micros);
    for (const { read } of stored) for (const event of read()) subscriber.next(event);

    const endIfOver = (): void => {
      if (!isOver(run)) return;
      subscriber.next(reading.end());
      subscriber.complete();
    };
    endIfOver();
    if (subscriber.closed) return undefined;
    return store.listen((happened) => {
      if (happened.type === 'run') {
        if (happened.run === run) endIfOver();
        return;
      }
      if (happened.task.run !== run) return;
      const events =
        happened.type === 'chunk'
          ? reading.ofChunk(happened.task, happened.chunk)
          : reading.ofTask(happened.task, happened.event);
      for (const event of events) subscriber.next(event);
    });
  });
