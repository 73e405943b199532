import { formatDuration, formatGoDuration, formatMicros } from './clock.ts';
import type { Clock } from './clock.ts';
import { toJson, toJsonObject, toJsonbText } from './json.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { ResolvedOptions } from './options.ts';
import type { Random } from './random.ts';
import { isSettled, readRun } from './run-reading.ts';
import { createAttempt, createRun, createTask, isEnded } from './store.ts';
import type { Run, Store, Task, TaskEvent } from './store.ts';
import { createTaskContext } from './task-context.ts';
import type { Timers } from './timers.ts';
import { NonRetryableError } from './workflow.ts';
import type { Step, Workflow } from './workflow.ts';

/** What a run is made of. */
export interface SpawnRequest {
  readonly workflow: Workflow;
  readonly input: JsonValue;
  readonly metadata: JsonObject;
  readonly priority: number;
  readonly parent?: Task | undefined;
  /** Microseconds; given for children that are spawned in one go. */
  readonly createdUs?: number | undefined;
}

/** Runs tasks: one worker with slots, retries, timeouts, DAGs, cancel and replay. */
export interface Executor {
  /** The worker's id. */
  readonly workerId: string;
  /** How many of its slots are taken. */
  busy(): number;
  spawn(request: SpawnRequest): Run;
  /** Cancels a task, and in a DAG the steps after it. */
  cancel(task: Task): void;
  /** Replays the given tasks of one run. */
  replay(run: Run, tasks: readonly Task[]): void;
  /** Aborts everything that runs. */
  close(): void;
}

/** The parts of an engine the executor works with. */
export interface ExecutorParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly options: ResolvedOptions;
  readonly workflows: ReadonlyMap<string, Workflow>;
}

const errorText = (error: unknown, task: Task): string => {
  const text = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
  // [hatchet] the SDKs end every error text with a line that names the task
  return `${text}\n{"__hatchet_error_metadata__": {"task_run_external_id": "${task.externalId}"}}`;
};

const outputsOf = (run: Run): JsonObject => {
  const outputs: JsonObject = {};
  for (const task of run.tasks) outputs[task.step.name] = task.attempt.output ?? {};
  return outputs;
};

/** The worker of an engine. */
export const createExecutor = (parts: ExecutorParts): Executor => {
  const { store, clock, random, timers, options } = parts;
  const workerId = random.uuid();
  const ready: [Task, number][][] = [[], [], []];
  const running = new Set<Task>();
  let tickets = 0;
  let closed = false;

  const record = (task: Task, type: string, fields: Partial<TaskEvent> = {}): void => {
    const event: TaskEvent = {
      id: store.nextId('event'),
      type,
      retryCount: task.attempt.retryCount,
      micros: clock.now(),
      message: '',
      error: '',
      output: '',
      onWorker: false,
      ...fields,
    };
    task.events.push(event);
    store.emit({ type: 'task', task, event });
  };

  const settle = (run: Run): void => {
    if (run.waiters.length === 0 || !isSettled(run)) return;
    const { waiters } = run;
    run.waiters = [];
    for (const waiter of waiters) waiter(run);
  };

  /** The tasks have changed: the read model learns of it a little later, and may miss what comes between. */
  const changed = (run: Run): void => {
    settle(run);
    if (run.syncTimer !== undefined) return;
    const lag = random.amount(options.statusLagMs);
    if (lag <= 0) {
      readRun(run, clock);
      store.emit({ type: 'run', run });
      return;
    }
    run.syncTimer = timers.after(lag, () => {
      run.syncTimer = undefined;
      readRun(run, clock);
      store.emit({ type: 'run', run });
    });
  };

  const nextAttempt = (task: Task): void => {
    task.attempt = createAttempt(task.attempt.retryCount + 1, clock.peek());
    task.attempts.push(task.attempt);
  };

  const pump = (): void => {
    if (closed) return;
    for (const queue of ready.toReversed()) {
      while (running.size < options.concurrency) {
        const next = queue.shift();
        if (next === undefined) break;
        const [task, ticket] = next;
        if (task.ticket === ticket) start(task);
      }
    }
  };

  const enqueue = (task: Task, delayMs: number): void => {
    tickets += 1;
    const ticket = tickets;
    task.ticket = ticket;
    task.attempt.status = 'QUEUED';
    task.attempt.queuedUs = clock.now();
    // [hatchet] events of the same few milliseconds are out of order: QUEUED may come after STARTED
    const late = random.next() < 0.3;
    if (!late) record(task, 'QUEUED', { micros: task.attempt.queuedUs });
    changed(task.run);
    timers.after(delayMs, () => {
      if (task.ticket !== ticket) return;
      ready[task.run.priority - 1]?.push([task, ticket]);
      pump();
      if (late) record(task, 'QUEUED');
    });
  };

  const createStep = (run: Run, step: Step, createdUs: number, parents: JsonObject | undefined): Task => {
    const externalId = run.workflow.isDag ? random.uuid() : run.externalId;
    const task = createTask(run, step, { externalId, taskId: store.nextId('task') }, createdUs, parents);
    store.addTask(task);
    return task;
  };

  const stepTask = (run: Run, name: string): Task | undefined => run.tasks.find((task) => task.step.name === name);

  const parentOutputs = (run: Run, step: Step): JsonObject => {
    const outputs: JsonObject = {};
    for (const parent of step.parents) outputs[parent] = stepTask(run, parent)?.attempt.output ?? {};
    return outputs;
  };

  /** A step has ended well: those that waited only for it can go. */
  const advance = (run: Run, done: Step): void => {
    for (const step of done.children) {
      const isReady = step.parents.every((name) => {
        const parent = stepTask(run, name);
        return parent !== undefined && !parent.waiting && parent.attempt.status === 'COMPLETED';
      });
      if (!isReady) continue;
      const existing = stepTask(run, step.name);
      if (existing === undefined) {
        enqueue(createStep(run, step, clock.now(), parentOutputs(run, step)), random.amount(options.scheduleDelayMs));
      } else if (existing.waiting && existing.retryTimer === undefined) {
        // [hatchet] until then the step shows its old end, and the run may say COMPLETED in between
        existing.retryTimer = timers.after(Math.max(1, random.amount(options.replayedStepDelayMs)), () => {
          existing.retryTimer = undefined;
          existing.waiting = false;
          nextAttempt(existing);
          enqueue(existing, random.amount(options.scheduleDelayMs));
        });
      }
    }
  };

  /** A step has failed or was cancelled: all steps after it are CANCELLED. */
  const cancelAfter = (run: Run, failed: Step): void => {
    for (const step of failed.children) {
      const existing = stepTask(run, step.name);
      if (existing !== undefined && !existing.waiting) continue;
      if (existing !== undefined) {
        existing.waiting = false;
        nextAttempt(existing);
      }
      // [hatchet] a step that is cancelled before its turn has no input, not even an empty envelope
      const task = existing ?? createStep(run, step, clock.now(), undefined);
      endAs(task, 'CANCELLED');
      record(task, 'CANCELLED', { micros: task.attempt.finishedUs });
      cancelAfter(run, step);
    }
  };

  const endAs = (task: Task, status: 'COMPLETED' | 'FAILED' | 'CANCELLED'): void => {
    task.attempt.status = status;
    task.attempt.finishedUs = clock.now();
    task.ticket = 0;
  };

  const complete = (task: Task, output: JsonObject): void => {
    task.attempt.output = output;
    endAs(task, 'COMPLETED');
    record(task, 'FINISHED', {
      micros: task.attempt.finishedUs,
      output: toJsonbText(output),
      onWorker: true,
    });
    advance(task.run, task.step);
    changed(task.run);
  };

  const fail = (
    task: Task,
    error: string,
    kind: { type: 'FAILED' | 'TIMED_OUT'; message: string; final: boolean },
  ): void => {
    task.attempt.error = error;
    endAs(task, 'FAILED');
    record(task, kind.type, { micros: task.attempt.finishedUs, message: kind.message, error });
    const used = task.attempt.retryCount - task.retryBase;
    if (kind.final || used >= task.step.retries) cancelAfter(task.run, task.step);
    else {
      // [hatchet] FAILED is seen for some milliseconds though a retry follows
      task.retryTimer = timers.after(Math.max(1, random.amount(options.retryDelayMs)), () => retry(task, used + 1));
    }
    changed(task.run);
  };

  const retry = (task: Task, number: number): void => {
    task.retryTimer = undefined;
    nextAttempt(task);
    const { backoff } = task.step;
    if (backoff === undefined) {
      record(task, 'RETRYING', { message: `This is retry number ${number}.` });
      enqueue(task, 0);
      return;
    }
    const seconds = Math.min(backoff.maxSeconds, backoff.factor ** number);
    const due = formatMicros(Math.floor(clock.peek() / 1e6 + seconds) * 1e6);
    record(task, 'RETRYING', {
      message: `This is retry number ${number}. Retrying in ${formatGoDuration(seconds)} (${due}).`,
    });
    task.attempt.status = 'QUEUED';
    changed(task.run);
    task.retryTimer = timers.after(Math.max(1, seconds * options.backoffSecondMs), () => {
      task.retryTimer = undefined;
      enqueue(task, 0);
    });
  };

  const start = (task: Task): void => {
    running.add(task);
    const { run, step, attempt } = task;
    const controller = new AbortController();
    attempt.status = 'RUNNING';
    record(task, 'ASSIGNED', { onWorker: true });
    record(task, 'SENT_TO_WORKER', { message: 'Sent task run to the assigned worker', onWorker: true });
    attempt.startedUs = clock.now();
    record(task, 'STARTED', { micros: attempt.startedUs, onWorker: true });
    changed(run);

    const leave = (): void => {
      running.delete(task);
      task.stop = undefined;
      timeout.stop();
    };
    const stop = (reason: Error): void => {
      leave();
      controller.abort(reason);
    };
    task.stop = stop;
    const timeout = timers.after(Math.max(1, step.timeoutMs), () => {
      const message = `Task exceeded timeout of ${formatDuration(step.timeoutMs)}`;
      stop(new Error(message));
      // [hatchet] running out of time is a failure without a text
      fail(task, '', { type: 'TIMED_OUT', message, final: false });
      pump();
    });
    const isCurrent = (): boolean => task.stop === stop;
    const context = createTaskContext(task, controller.signal, {
      store,
      clock,
      timers,
      runChild: (name, input, childOptions, createdUs) => {
        const workflow = parts.workflows.get(name);
        if (workflow === undefined) return Promise.reject(new Error(`no workflow is called ${name}`));
        task.spawned += 1;
        const child = spawn({
          workflow,
          input: toJson(input ?? {}),
          metadata: {
            // [hatchet] the SDKs copy the parent's metadata to its children
            ...run.metadata,
            ...toJsonObject(childOptions?.additionalMetadata ?? {}),
            hatchet__parent_step_run_id: task.externalId,
            hatchet__parent_workflow_run_id: run.externalId,
          },
          priority: childOptions?.priority ?? 1,
          parent: task,
          createdUs,
        });
        return outcomeOf(child);
      },
    });
    const input = typeof run.input === 'object' && run.input !== null ? structuredClone(run.input) : run.input;
    Promise.resolve()
      .then(() => step.run(input, context))
      .then(
        (output) => {
          if (!isCurrent()) return;
          leave();
          complete(task, toJsonObject(output));
          pump();
        },
        (error: unknown) => {
          if (!isCurrent()) return;
          leave();
          const final = error instanceof NonRetryableError;
          fail(task, errorText(error, task), { type: 'FAILED', message: '', final });
          pump();
        },
      )
      .catch((error: unknown) => {
        // An output that JSON cannot hold (a cycle, a bigint) is the task's error.
        fail(task, errorText(error, task), { type: 'FAILED', message: '', final: true });
        pump();
      });
  };

  const outcomeOf = (run: Run): Promise<unknown> =>
    new Promise((resolve, reject) => {
      run.waiters.push(() => {
        const failed = run.tasks.find((task) => task.attempt.status === 'FAILED');
        if (failed !== undefined) reject(new Error(`child run ${run.externalId} FAILED: ${failed.attempt.error}`));
        else if (run.tasks.some((task) => task.attempt.status === 'CANCELLED')) {
          reject(new Error(`child run ${run.externalId} was CANCELLED`));
        } else resolve(run.workflow.isDag ? outputsOf(run) : run.tasks[0]?.attempt.output);
      });
    });

  const spawn = (request: SpawnRequest): Run => {
    const { workflow } = request;
    const createdUs = request.createdUs ?? clock.now();
    const run = createRun(workflow, { externalId: random.uuid(), seq: store.nextId('run') }, createdUs, {
      metadata: request.metadata,
      input: request.input,
      priority: Math.min(3, Math.max(1, request.priority)),
      parentTaskId: request.parent?.externalId,
      storedUs: clock.peek() + random.amount(options.storeDelayMs) * 1000,
    });
    store.add(run);
    for (const step of workflow.steps) {
      if (step.parents.length > 0) continue;
      enqueue(createStep(run, step, createdUs, {}), random.amount(options.scheduleDelayMs));
    }
    const delay = random.amount(options.visibilityDelayMs);
    // [hatchet] details answer some milliseconds before /status and /tasks do
    const early = Math.min(10, delay / 3);
    timers.after(delay - early, () => {
      run.visibility = 'details';
      timers.after(early, () => store.publish(run));
    });
    return run;
  };

  const cancel = (task: Task): void => {
    const { attempt } = task;
    const hasEnded = isEnded(attempt.status) && task.retryTimer === undefined && !task.waiting;
    if (hasEnded && (attempt.status === 'CANCELLED' || attempt.cancelledLate)) return;
    if (hasEnded) {
      // [hatchet] a cancel after the end: the event and its time are stored, only /tasks/{id} shows the status
      attempt.finishedUs = clock.now();
      attempt.cancelledLate = true;
      record(task, 'CANCELLED', { micros: attempt.finishedUs });
      changed(task.run);
      return;
    }
    task.retryTimer?.stop();
    task.retryTimer = undefined;
    task.waiting = false;
    task.stop?.(new Error('the task was cancelled'));
    endAs(task, 'CANCELLED');
    record(task, 'CANCELLED', { micros: attempt.finishedUs });
    cancelAfter(task.run, task.step);
    changed(task.run);
    pump();
  };

  const replay = (run: Run, tasks: readonly Task[]): void => {
    // [hatchet] what runs is skipped, with no sign
    const chosen = new Set(tasks.filter((task) => task.attempt.status !== 'RUNNING'));
    for (const task of chosen) {
      // [hatchet] the event carries the retryCount that is replayed, not the new one
      record(task, 'RETRIED_BY_USER', { message: 'Task was replayed, resetting task result.' });
      task.retryTimer?.stop();
      task.retryTimer = undefined;
      task.ticket = 0;
      task.waiting = true;
      // [hatchet] retries start afresh
      task.retryBase = task.attempt.retryCount + 1;
    }
    for (const task of chosen) {
      const isBehind = task.step.parents.some((name) => [...chosen].some((other) => other.step.name === name));
      if (isBehind) continue;
      task.waiting = false;
      nextAttempt(task);
      enqueue(task, random.amount(options.scheduleDelayMs));
    }
    changed(run);
  };

  return {
    workerId,
    busy: () => running.size,
    spawn,
    cancel,
    replay,
    close() {
      closed = true;
      for (const task of running) task.stop?.(new Error('the engine is closed'));
    },
  };
};
