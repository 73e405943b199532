/**
 * Makes the events of one run out of what an engine hands out: in order, at most once, losses told. Pure: no clock, no
 * timers, no connections.
 */
import type { GapEvent, RunEvent } from '../model/event.ts';
import type { V1TaskStatus } from '../model/status.ts';
import { Attempt, type Ordered, type SourceChunk } from './attempt.ts';
import { readMark } from './stream-mark.ts';

export type { SourceChunk } from './attempt.ts';

/** Something that an engine says about a task. */
export interface SourceTaskEvent {
  readonly taskRunId: string;
  readonly event: 'started' | 'completed' | 'failed' | 'cancelled' | (string & {});
  /** The attempt, where the engine says it. */
  readonly retryCount: number | undefined;
  readonly time: Date;
}

/** How a run ended, as the run itself says. */
export interface RunEnd {
  readonly status: V1TaskStatus;
  readonly time: Date;
  /** Every task of the run; `undefined` if they are not known. */
  readonly tasks: readonly { readonly taskRunId: string; readonly status: V1TaskStatus }[] | undefined;
}

export interface AssemblerOptions {
  readonly runId: string;
  /** Whether the run may have streamed before anybody listened. */
  readonly late: boolean;
  /** How long a missing chunk may still come, in milliseconds. */
  readonly holeMs: number;
}

/** All methods give the events that are ready now. `now` is in milliseconds, by any clock that does not go back. */
export interface Assembler {
  chunk(chunk: SourceChunk, now: number): readonly RunEvent[];
  task(event: SourceTaskEvent, now: number): readonly RunEvent[];
  /** The engine says that the run completed: what breaks from now on breaks nothing. A later chunk takes it back. */
  runCompleted(): void;
  /** Nobody listened for a while. With a reason, that is a possible loss; without, the engine ended the call on its own. */
  interrupted(reason: string | undefined): void;
  /** Time passes: holes become losses. */
  tick(now: number): readonly RunEvent[];
  /** When `tick` will have something to say. */
  dueAt(): number | undefined;
  /** Whether it is proved that nothing of these tasks is missing. */
  whole(taskRunIds: readonly string[]): boolean;
  /** All that is left, and `finished`. */
  finish(end: RunEnd): readonly RunEvent[];
}

interface Task {
  readonly id: string;
  /** Oldest first; only the oldest one's chunks go out. */
  readonly attempts: Attempt[];
  /** The attempt that went out before. */
  past: Attempt | undefined;
  /** When the engine told which attempts' failures. */
  readonly failures: Map<number, number>;
  /** The highest attempt that the engine spoke of, and whether it completed. */
  told: number;
  completed: number | undefined;
  /** Whether any attempt was counted. */
  counted: boolean;
  /** Attempts that went out before without a count. */
  readonly unclosed: Attempt[];
  /** Whether a gap was told that is not just a late beginning. */
  gapTold: boolean;
  /** Nobody listened since the last chunk; the reason if that is a possible loss. */
  doubt: { readonly reason: string | undefined } | undefined;
}

/** A chunk of an attempt may come this much after the first one of the next attempt. Milliseconds; batches are 20 ms apart. */
const BORDER_MS = 200;

/** What looks like an older attempt's is one for this long after the newer one began. Milliseconds. */
const STRAGGLER_MS = 5_000;

/** For who comes late, the first chunks may still be out of order for this long. Milliseconds. */
const HEAD_MS = 50;

/** A failure that was told this long ago is that of the attempt before. Milliseconds; before, it may have overtaken its chunks. */
const OVERTAKING_MS = 500;

const TERMINAL = new Set(['completed', 'failed', 'cancelled']);

export function createAssembler(options: AssemblerOptions): Assembler {
  const { runId, late, holeMs } = options;
  const tasks = new Map<string, Task>();
  const told = new Set<string>();
  let completed = false;
  /** Doubt about tasks of which nothing has been seen. */
  let doubt: string | undefined;
  let broken = false;
  let anyChunk = false;

  const taskOf = (id: string): Task => {
    let task = tasks.get(id);
    if (task === undefined) {
      task = {
        id,
        attempts: [],
        past: undefined,
        failures: new Map(),
        told: 0,
        completed: undefined,
        counted: false,
        unclosed: [],
        gapTold: false,
        doubt: broken ? { reason: doubt } : undefined,
      };
      tasks.set(id, task);
    }
    return task;
  };

  const gap = (task: Task | undefined, reason: string, from?: number, to?: number): GapEvent => {
    if (task !== undefined) task.gapTold = true;
    return {
      type: 'gap',
      runId,
      ...(task === undefined ? {} : { taskRunId: task.id }),
      reason,
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    };
  };

  const uncountedGap = (task: Task, { retryCount, next }: Attempt): GapEvent =>
    gap(task, `attempt ${retryCount} ended without saying how many chunks it sent`, next);

  const begin = (task: Task, now: number): Attempt => {
    const before = task.attempts.at(-1) ?? task.past;
    const guess = before === undefined ? 0 : before.retryCount + 1;
    const attempt = new Attempt({
      retryCount: Math.max(guess, lastOver(task, now) + 1),
      beganAt: now,
      holeMs,
      headMs: late && before === undefined ? HEAD_MS : undefined,
    });
    task.attempts.push(attempt);
    return attempt;
  };

  /** Turns what an attempt gives into events. */
  const tell = (task: Task, attempt: Attempt, ordered: readonly Ordered[]): RunEvent[] => {
    const events: RunEvent[] = [];
    for (const item of ordered) {
      if (item.type === 'chunk') {
        anyChunk = true;
        const { text, timeUs } = item.chunk;
        events.push({
          type: 'chunk',
          runId,
          taskRunId: task.id,
          retryCount: attempt.retryCount,
          ...(item.index === undefined ? {} : { index: item.index }),
          text,
          time: new Date(timeUs / 1_000),
        });
      } else {
        const before = task.gapTold;
        events.push(gap(task, reasonOf(task, item, late), item.from, item.to));
        // Who comes late misses the beginning; that says nothing about the rest.
        if (late && item.from === 0 && task.past === undefined) task.gapTold = before;
        task.doubt = undefined;
      }
    }
    if (!attempt.placed && ordered.length + Number(attempt.closed) > 0) {
      attempt.placed = true;
      const mayHaveMissed = broken && !(late && task.past === undefined);
      if (mayHaveMissed && attempt.retryCount > (task.past?.retryCount ?? -1) + 1) {
        events.unshift(gap(task, `nothing came of what was tried before attempt ${attempt.retryCount}`));
      }
    }
    if (attempt.counted && !task.counted) {
      task.counted = true;
      for (const unclosed of task.unclosed) events.push(uncountedGap(task, unclosed));
    }
    return events;
  };

  /** The oldest attempt is over: the next one's chunks may go out. */
  const close = (task: Task, now: number): RunEvent[] => {
    const [attempt, next] = task.attempts;
    if (attempt === undefined || next === undefined) return [];
    const events = tell(task, attempt, attempt.flush());
    if (attempt.mixed) {
      events.push(
        gap(task, `attempt ${attempt.retryCount} and one before it ran into each other, with a loss between them`),
      );
    } else if (!attempt.whole) {
      if (!attempt.closed) task.unclosed.push(attempt);
      if (task.counted && !attempt.closed) events.push(uncountedGap(task, attempt));
      else if (task.doubt?.reason !== undefined) events.push(gap(task, task.doubt.reason, attempt.next));
    }
    task.past = attempt;
    task.attempts.shift();
    task.doubt = undefined;
    events.push(...tell(task, next, next.drain(now)));
    return events;
  };

  /** What is ready of a task by now. */
  const drain = (task: Task, now: number): RunEvent[] => {
    const events: RunEvent[] = [];
    for (;;) {
      const [attempt] = task.attempts;
      if (attempt === undefined) return events;
      events.push(...tell(task, attempt, attempt.drain(now)));
      if (attempt.overfull) (task.attempts[1] ?? begin(task, now)).takeLaterFrom(attempt, Number.NEGATIVE_INFINITY);
      const next = task.attempts[1];
      if (next === undefined || now < borderOf(task, attempt, next)) return events;
      events.push(...close(task, now));
    }
  };

  const addTo = (task: Task, attempt: Attempt, chunk: SourceChunk, index: number, now: number): RunEvent[] => {
    attempt.add(chunk, index, now);
    const events = drain(task, now);
    // What came after the interruption has told what was lost in it, unless it waits for a hole to be filled.
    if (attempt === task.attempts.at(-1) && attempt.dueAt() === undefined) task.doubt = undefined;
    return events;
  };

  const startNext = (task: Task, chunk: SourceChunk, index: number, now: number): RunEvent[] => {
    const before = task.attempts.at(-1);
    const events: RunEvent[] = task.attempts.length > 1 ? close(task, now) : [];
    const attempt = begin(task, now);
    if (before !== undefined) {
      if (chunk.timeUs > before.newestUs) attempt.takeLaterFrom(before, chunk.timeUs);
      else attempt.adoptFrom(before, chunk, index);
    }
    attempt.add(chunk, index, now);
    return [...events, ...drain(task, now)];
  };

  /** A chunk that is not the newest attempt's. */
  const addEarlier = (task: Task, chunk: SourceChunk, index: number, now: number): RunEvent[] => {
    const older = task.attempts.at(-2);
    if (older !== undefined) {
      if (!older.mayOwn(chunk, index)) return [];
      older.add(chunk, index, now);
      return drain(task, now);
    }
    const { past } = task;
    if (past === undefined || !past.mayOwn(chunk, index)) return [];
    const shown = past.next + (index - past.rawNext);
    return [gap(task, `a chunk of attempt ${past.retryCount} came after the next attempt's`, shown, shown)];
  };

  const numbered = (task: Task, chunk: SourceChunk, index: number, now: number): RunEvent[] => {
    const newest = task.attempts.at(-1) ?? begin(task, now);
    const mark = readMark(chunk.text);
    const retryCount = mark?.type === 'opening' ? mark.retryCount : undefined;
    if (retryCount !== undefined && newest.begun && newest.certain && retryCount > newest.retryCount) {
      return startNext(task, chunk, index, now);
    }
    const before = task.attempts.at(-2) ?? task.past;
    const older = before !== undefined && newest.isOlder(chunk.timeUs, before);
    switch (older ? 'earlier' : newest.judge(chunk, index)) {
      case 'mine':
        // The number would fit; but the attempt failed a while ago.
        if (newest.begun && isLongOver(task, newest, now)) return startNext(task, chunk, index, now);
        return addTo(task, newest, chunk, index, now);
      case 'known':
        return [];
      case 'twin':
        return tell(task, newest, newest.pass(chunk));
      case 'next':
        return startNext(task, chunk, index, now);
      case 'earlier':
        if (task.attempts.length > 1 || (task.past !== undefined && now - newest.beganAt < STRAGGLER_MS)) {
          return addEarlier(task, chunk, index, now);
        }
        if (newest.has(index) && now - newest.beganAt < OVERTAKING_MS) {
          return [gap(task, 'a chunk of an attempt came after the next attempt had begun', index, index)];
        }
        // There is no earlier attempt: the clocks of two workers differ.
        return newest.has(index) ? startNext(task, chunk, index, now) : addTo(task, newest, chunk, index, now);
    }
  };

  const unnumbered = (task: Task, chunk: SourceChunk, now: number): RunEvent[] => {
    const mark = readMark(chunk.text);
    const newest = task.attempts.at(-1);
    const events: RunEvent[] = [];
    let attempt = newest ?? begin(task, now);
    if (mark?.type === 'opening' && newest?.begun === true) {
      attempt = begin(task, now);
      events.push(...close(task, now));
    }
    events.push(...tell(task, attempt, attempt.pass(chunk)));
    return events;
  };

  const tasksOf = (end: RunEnd): readonly string[] | undefined =>
    end.tasks?.map(({ taskRunId }) => taskRunId) ?? (tasks.has(runId) ? [runId] : undefined);

  const taskWhole = (id: string): boolean => {
    const task = tasks.get(id);
    const attempt = task?.attempts.at(-1);
    if (task === undefined || attempt === undefined || task.attempts.length > 1) return false;
    if (!attempt.whole || task.gapTold || task.told > attempt.retryCount) return false;
    // A further attempt of which nothing arrived would change everything; the engine's word, or an unbroken call, rules it out.
    return task.completed === attempt.retryCount || task.doubt === undefined;
  };

  /** What the engine did not get round to telling, and the run knows. */
  const missingTaskEvents = (end: RunEnd): RunEvent[] =>
    (end.tasks ?? []).flatMap(({ taskRunId, status }): RunEvent[] => {
      const event = status.toLowerCase();
      if (!TERMINAL.has(event)) return [];
      const task = taskOf(taskRunId);
      const retryCount = Math.max(
        task.attempts.at(-1)?.retryCount ?? 0,
        task.told,
        event === 'completed' ? Math.max(-1, ...task.failures.keys()) + 1 : 0,
      );
      if (event === 'completed' ? task.completed !== undefined : told.has(`${taskRunId} ${event} ${retryCount}`))
        return [];
      return [{ type: 'task', event, runId, taskRunId, retryCount, time: end.time }];
    });

  return {
    chunk(chunk, now) {
      completed = false;
      const task = taskOf(chunk.taskRunId);
      const { index } = chunk;
      return index === undefined ? unnumbered(task, chunk, now) : numbered(task, chunk, index, now);
    },
    task(event, now) {
      const task = taskOf(event.taskRunId);
      const retryCount = event.retryCount ?? task.attempts.at(-1)?.retryCount ?? 0;
      const key = `${task.id} ${event.event} ${retryCount}`;
      if (told.has(key)) return [];
      told.add(key);
      task.told = Math.max(task.told, retryCount);
      if (event.event === 'failed') task.failures.set(retryCount, now);
      if (event.event === 'completed') task.completed = retryCount;
      return [{ type: 'task', event: event.event, runId, taskRunId: task.id, retryCount, time: event.time }];
    },
    runCompleted() {
      completed = true;
    },
    interrupted(reason) {
      broken = true;
      if (reason !== undefined) doubt ??= reason;
      for (const task of tasks.values()) {
        // The run of a single task has the task's id: its end is the task's.
        if (completed && reason === undefined && task.id === runId) continue;
        task.doubt = { reason: task.doubt?.reason ?? reason };
      }
    },
    tick(now) {
      return [...tasks.values()].flatMap((task) => drain(task, now));
    },
    dueAt() {
      let dueAt: number | undefined;
      for (const task of tasks.values()) {
        const [attempt, next] = task.attempts;
        const hole = attempt?.dueAt();
        const border = attempt === undefined || next === undefined ? undefined : borderOf(task, attempt, next);
        for (const at of [hole, border]) if (at !== undefined && (dueAt === undefined || at < dueAt)) dueAt = at;
      }
      return dueAt;
    },
    whole: (taskRunIds) => taskRunIds.length > 0 && taskRunIds.every(taskWhole),
    finish(end) {
      const events: RunEvent[] = [];
      for (const task of tasks.values()) {
        while (task.attempts.length > 1) events.push(...close(task, Number.POSITIVE_INFINITY));
        const attempt = task.attempts[0];
        if (attempt === undefined) continue;
        events.push(...tell(task, attempt, attempt.flush()));
        if (taskWhole(task.id)) continue;
        if (task.doubt?.reason !== undefined) events.push(gap(task, task.doubt.reason, attempt.next));
        else if (task.counted && !attempt.closed) events.push(uncountedGap(task, attempt));
        else if (task.counted && !task.gapTold) {
          events.push(gap(task, 'the engine did not confirm that this attempt was the last one', attempt.next));
        }
      }
      const ids = tasksOf(end);
      const verified = ids !== undefined && ids.length > 0 && ids.every(taskWhole);
      if (doubt !== undefined) {
        const silent = (ids ?? []).filter((id) => tasks.get(id)?.attempts.length !== 1);
        if (ids === undefined) events.push(gap(undefined, doubt));
        for (const id of silent) events.push(gap(taskOf(id), doubt));
      } else if (late && !anyChunk && events.length === 0) {
        events.push(gap(undefined, 'the run was under way already: what it streamed before cannot be had'));
      }
      events.push(...missingTaskEvents(end));
      events.push({
        type: 'finished',
        runId,
        status: end.status,
        tail: verified ? 'verified' : 'unverified',
        time: end.time,
      });
      return events;
    },
  };
}

/** From when on nothing of an attempt is expected any more, the next one having begun. */
function borderOf(task: Task, attempt: Attempt, next: Attempt): number {
  const over = attempt.whole || (isLongOver(task, attempt, next.beganAt) && attempt.dueAt() === undefined);
  return over ? next.beganAt : next.beganAt + BORDER_MS;
}

/** Whether the engine said so long ago that the attempt failed that all of its chunks must have come. */
function isLongOver(task: Task, attempt: Attempt, now: number): boolean {
  return lastOver(task, now) >= attempt.retryCount;
}

/** The last attempt that failed long ago; -1 for none. */
function lastOver({ failures }: Task, now: number): number {
  let last = -1;
  for (const [retryCount, at] of failures) if (now - at >= OVERTAKING_MS) last = Math.max(last, retryCount);
  return last;
}

function reasonOf(task: Task, hole: { readonly from: number }, late: boolean): string {
  if (late && hole.from === 0 && task.past === undefined) return 'sent before the stream was subscribed to';
  return task.doubt?.reason ?? 'did not arrive';
}
