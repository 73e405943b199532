import { asyncScheduler, Observable, Subject, Subscription } from 'rxjs';
import { createAssembler, type Assembler, type RunEnd } from '../events/assembler.ts';
import type { EventHost } from '../events/source.ts';
import type { RunEvent } from '../model/event.ts';
import { isHatchetError } from '../error/errors.ts';
import type { Engine } from './engine.ts';
import { EventType, ResourceType, type WorkflowEvent } from './messages.ts';
import { PIN_TEXT } from './pin.ts';
import { runEnd } from './run-end.ts';
import { isLostChunk } from './status.ts';
import type { Signal } from './subscription.ts';

/** What the stream of one run is made of. */
export interface RunStreamConfig {
  readonly engine: Engine;
  readonly host: EventHost;
  readonly operation: string;
  /** The events of this run, among others. */
  readonly signals: Observable<Signal>;
  /** Gives the run's id; subscribed to when the engine has the call. */
  readonly start: Observable<string>;
  /** Whether the call is about this run and its children only, so that the first event is this run's. */
  readonly alone: boolean;
  /** Whether the run may have streamed before. */
  readonly late: boolean;
  /** How long chunks may come after the end, in milliseconds. */
  readonly lingerMs: number;
  /** Told when the run has ended. */
  readonly onEnd?: (runId: string, end: RunEnd) => void;
}

/** How long a missing chunk may still come, in milliseconds. [hatchet] Large chunks are fetched once a second. */
const HOLE_MS = 2_000;

/** How long a run is waited for whose trigger had no answer, in milliseconds. */
const LOST_ANSWER_MS = 5_000;

const TASK_EVENTS: Readonly<Record<number, string>> = {
  [EventType.started]: 'started',
  [EventType.completed]: 'completed',
  [EventType.failed]: 'failed',
  [EventType.cancelled]: 'cancelled',
  [EventType.timedOut]: 'timed_out',
};

/**
 * The events of one run out of a call that is kept open.
 *
 * Emits: as `EventConnection`. Completes: after `finished`, which comes when the run itself has said that it ended and no
 * chunk has come for a while, or when all of them are there. Errors: those of the call, of `start` and of `runEnd`.
 * Unsubscribing ends everything.
 */
export function runStream(config: RunStreamConfig): Observable<RunEvent> {
  const { engine, host, operation, late, lingerMs } = config;
  return new Observable<RunEvent>((subscriber) => {
    const hints = new Subject<void>();
    /** Events that came before the run's id was known. */
    let early: WorkflowEvent[] = [];
    let run: { readonly id: string; readonly assembler: Assembler } | undefined;
    let started = false;
    let adopting = false;
    let failures = 0;
    let seen = 0;
    let end: RunEnd | undefined;
    let holeTimer = Subscription.EMPTY;
    let holeTimerAt: number | undefined;
    let lingerTimer = Subscription.EMPTY;
    let watching = Subscription.EMPTY;

    const emit = (events: readonly RunEvent[]) => {
      for (const event of events) {
        if (subscriber.closed) return;
        seen += 1;
        subscriber.next(event);
      }
    };

    const keepTime = () => {
      const dueAt = run?.assembler.dueAt();
      if (dueAt === holeTimerAt) return;
      holeTimer.unsubscribe();
      holeTimerAt = dueAt;
      if (dueAt === undefined) return;
      holeTimer = asyncScheduler.schedule(
        () => {
          holeTimerAt = undefined;
          emit(run?.assembler.tick(asyncScheduler.now()) ?? []);
          keepTime();
        },
        Math.max(0, dueAt - asyncScheduler.now()),
      );
    };

    const take = (event: WorkflowEvent) => {
      if (run === undefined || event.workflowRunId !== run.id) return;
      const { assembler } = run;
      const now = asyncScheduler.now();
      if (event.resourceType === ResourceType.run) {
        if (event.eventType === EventType.completed) assembler.runCompleted();
        hints.next();
        return;
      }
      if (event.eventType === EventType.stream) {
        if (event.eventPayload === PIN_TEXT) return;
        emit(assembler.chunk(chunkOf(event), now));
        if (end !== undefined) linger();
      } else {
        const { resourceId: taskRunId, retryCount } = event;
        const name = TASK_EVENTS[event.eventType] ?? `event_${event.eventType}`;
        emit(assembler.task({ taskRunId, event: name, retryCount, time: dateOf(event, now) }, now));
        if (end !== undefined && isWhole(end)) finish();
      }
      keepTime();
    };

    const isWhole = ({ tasks }: RunEnd) =>
      run !== undefined && run.assembler.whole(tasks?.map(({ taskRunId }) => taskRunId) ?? []);

    const finish = () => {
      if (run === undefined || end === undefined) return;
      emit(run.assembler.finish(end));
      subscriber.complete();
    };

    /** Chunks may come after the end; all the same, it is over at once when none can be missing. */
    const linger = () => {
      lingerTimer.unsubscribe();
      if (end === undefined) return;
      if (isWhole(end)) finish();
      else lingerTimer = asyncScheduler.schedule(confirm, lingerMs);
    };

    /** [hatchet] FAILED may be followed by a retry; whether it is has been written by now. */
    const confirm = () => {
      if (run === undefined || end?.status !== 'FAILED') {
        finish();
        return;
      }
      lingerTimer = engine.look(operation, run.id).subscribe({
        next: ({ done }) => {
          if (done) finish();
          else watchForEnd();
        },
        // The first answer stands.
        error: finish,
      });
    };

    const watchForEnd = () => {
      if (run === undefined) return;
      end = undefined;
      watching.unsubscribe();
      watching = runEnd({ engine, host }, operation, run.id, hints, () => seen).subscribe({
        next: (found) => {
          end = found;
          if (run !== undefined) config.onEnd?.(run.id, found);
          linger();
        },
        error: (error: unknown) => subscriber.error(error),
      });
    };

    /** The answer to the trigger was lost; if there is a run, its events say which. Never triggered again. */
    const onNoRunId = (error: unknown) => {
      if (!config.alone || !isHatchetError(error) || error._tag !== 'AmbiguousTriggerError') {
        subscriber.error(error);
        return;
      }
      const [first] = early;
      if (first !== undefined) onRunId(first.workflowRunId);
      else {
        adopting = true;
        starting.add(
          asyncScheduler.schedule(() => {
            if (adopting) subscriber.error(error);
          }, LOST_ANSWER_MS),
        );
      }
    };

    const onRunId = (id: string) => {
      adopting = false;
      run = { id, assembler: createAssembler({ runId: id, late, holeMs: HOLE_MS }) };
      watchForEnd();
      const events = early;
      early = [];
      for (const event of events) take(event);
    };

    const onSignal = (signal: Signal) => {
      switch (signal.type) {
        case 'event':
          if (run === undefined) {
            early.push(signal.event);
            if (adopting) onRunId(signal.event.workflowRunId);
          } else take(signal.event);
          return;
        case 'open':
          failures = 0;
          if (started) hints.next();
          else {
            started = true;
            starting.add(begin());
          }
          return;
        case 'ended':
          // Before the start there is nothing to lose, and nobody to wait for.
          failures += 1;
          if (!started && signal.error !== undefined && failures >= host.retry.maxAttempts) {
            subscriber.error(signal.error);
          } else if (run !== undefined) {
            run.assembler.interrupted(reasonOf(signal));
            hints.next();
          }
      }
    };

    const starting = new Subscription();
    const begin = () => config.start.subscribe({ next: onRunId, error: onNoRunId });
    const upstream = config.signals.subscribe({
      next: onSignal,
      error: (error: unknown) => subscriber.error(error),
    });
    return () => {
      for (const each of [upstream, starting, watching, holeTimer, lingerTimer]) each.unsubscribe();
    };
  });
}

function reasonOf({ error }: Extract<Signal, { readonly type: 'ended' }>): string | undefined {
  // A run's id that the engine does not know yet, or no more: nothing was open, so nothing is lost in it.
  if (!isHatchetError(error) || error._tag === 'RunNotFoundError') return undefined;
  return isLostChunk(error)
    ? 'a chunk that is not valid UTF-8, or too long, ended the call; what came with it is lost'
    : `the connection to the engine was interrupted (${error.snippet ?? error._tag})`;
}

function chunkOf({ resourceId, eventIndex, eventPayload, eventTimestamp }: WorkflowEvent) {
  const { seconds = 0, nanos = 0 } = eventTimestamp ?? {};
  return { taskRunId: resourceId, index: eventIndex, text: eventPayload, timeUs: seconds * 1_000_000 + nanos / 1_000 };
}

function dateOf({ eventTimestamp }: WorkflowEvent, now: number): Date {
  return new Date(eventTimestamp === undefined ? now : eventTimestamp.seconds * 1_000 + eventTimestamp.nanos / 1e6);
}
