import type { Clock } from './clock.ts';
import type { Store, Task } from './store.ts';
import type { Timers } from './timers.ts';
import type { ChildOptions, TaskContext } from './workflow.ts';

/** What a context needs of the engine. */
export interface TaskContextParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly runChild: (
    workflow: string,
    input: unknown,
    options: ChildOptions | undefined,
    createdUs: number,
  ) => Promise<unknown>;
}

const rejectOnAbort = (signal: AbortSignal, reject: (reason: unknown) => void): (() => void) => {
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  return () => signal.removeEventListener('abort', onAbort);
};

/** The context of one attempt of a task. */
export const createTaskContext = (task: Task, signal: AbortSignal, parts: TaskContextParts): TaskContext => {
  const { store, clock, timers } = parts;
  const { retryCount } = task.attempt;
  const { run, step } = task;
  let index = 0;
  let bulkUs: number | undefined;
  return {
    runId: run.externalId,
    taskRunId: task.externalId,
    retryCount,
    additionalMetadata: run.metadata,
    signal,
    async putStream(text) {
      signal.throwIfAborted();
      const chunk = { index, retryCount, micros: clock.now(), text };
      index += 1;
      task.chunks.push(chunk);
      store.emit({ type: 'chunk', task, chunk });
    },
    parentOutput(name) {
      if (!step.parents.includes(name)) throw new Error(`${step.actionId} has no parent called ${name}`);
      return structuredClone(run.tasks.find((other) => other.step.name === name)?.attempt.output ?? {});
    },
    runChild(workflow, input, options) {
      if (signal.aborted) return Promise.reject(signal.reason);
      // [hatchet] children spawned in bulk share one creation time
      if (bulkUs === undefined) {
        bulkUs = clock.now();
        queueMicrotask(() => {
          bulkUs = undefined;
        });
      }
      const outcome = parts.runChild(workflow, input, options, bulkUs);
      return new Promise((resolve, reject) => {
        const forget = rejectOnAbort(signal, reject);
        outcome.then(resolve, reject).finally(forget);
      });
    },
    sleep(ms) {
      if (signal.aborted) return Promise.reject(signal.reason);
      return new Promise((resolve, reject) => {
        const timer = timers.after(Math.max(1, ms), () => {
          forget();
          resolve();
        });
        const forget = rejectOnAbort(signal, (reason) => {
          timer.stop();
          reject(reason);
        });
      });
    },
    log(line) {
      task.logs.push({ micros: clock.now(), retryCount, message: line });
    },
  };
};
