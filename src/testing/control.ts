import type { Clock } from './clock.ts';
import type { Executor } from './executor.ts';
import type { ResolvedOptions } from './options.ts';
import type { Random } from './random.ts';
import type { Run, Store, Task } from './store.ts';
import type { Timers } from './timers.ts';

/** Cancel and replay as the server takes them: the answer first, the effect later, and some of it lost. */
export interface Control {
  /** Cancels what the ids name, runs and steps alike; ids that name nothing are passed over. */
  cancel(ids: readonly string[]): void;
  /** Replays tasks; the promise is kept when the server would answer. */
  replay(tasks: readonly Task[]): Promise<void>;
}

// [hatchet] a replay is worked off in batches of so many tasks
const BATCH = 100;

// [hatchet] of one call only the first batches find the tenant's lock free
const BATCHES_KEPT = 2;

/** The parts of an engine that cancel and replay work with. */
export interface ControlParts {
  readonly store: Store;
  readonly executor: Executor;
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: Timers;
  readonly options: ResolvedOptions;
}

const isReadable = (run: Run): boolean => run.visibility === 'full';

/** Cancel and replay for one engine. */
export const createControl = ({ store, executor, random, timers, clock, options }: ControlParts): Control => {
  let replaying = false;

  const cancelOne = (id: string): void => {
    const run = store.runById(id);
    // A copy: cancelling a step may add the later ones.
    const tasks = run?.tasks.slice() ?? [store.taskById(id) ?? []].flat();
    for (const task of tasks) {
      // [hatchet] a cancel that comes before the run is stored has no effect, and nobody is told
      if (options.lostCancels && !isReadable(task.run) && clock.peek() < task.run.storedUs) continue;
      executor.cancel(task);
    }
  };

  const replayBatch = (tasks: readonly Task[]): void => {
    for (const [run, chosen] of groupByRun(tasks)) executor.replay(run, chosen);
  };

  return {
    cancel(ids) {
      timers.after(random.amount(options.cancelDelayMs), () => {
        for (const id of ids) cancelOne(id);
      });
    },
    async replay(tasks) {
      // [hatchet] work on a tenant is guarded by a try-lock: a call that finds it taken is dropped, with no sign
      const isDropped = options.lostReplays && replaying;
      if (!isDropped) replaying = true;
      for (let batch = 0; batch * BATCH < tasks.length; batch += 1) {
        const isLost = isDropped || (options.lostReplays && batch >= BATCHES_KEPT);
        // [hatchet] the new attempts show about when the answer comes, not before
        await timers.pause(options.replayBatchPauseMs);
        if (!isLost) replayBatch(tasks.slice(batch * BATCH, (batch + 1) * BATCH));
      }
      if (!isDropped) replaying = false;
    },
  };
};

const groupByRun = (tasks: readonly Task[]): Map<Run, Task[]> => {
  const groups = new Map<Run, Task[]>();
  for (const task of tasks) {
    const group = groups.get(task.run);
    if (group === undefined) groups.set(task.run, [task]);
    else group.push(task);
  }
  return groups;
};

/** The tasks a replay of `ids` means, each once: a DAG's steps, a step and those after it; unknown ids give none. */
export const tasksToReplay = (store: Store, ids: readonly string[]): { named: Task[]; meant: Task[] } => {
  const named = new Set<Task>();
  const meant = new Set<Task>();
  const addWithLater = (task: Task): void => {
    meant.add(task);
    for (const step of task.step.children) {
      const later = task.run.tasks.find((other) => other.step === step);
      if (later !== undefined && !meant.has(later)) addWithLater(later);
    }
  };
  for (const id of ids) {
    const tasks = store.runById(id)?.tasks ?? [store.taskById(id) ?? []].flat();
    for (const task of tasks) {
      if (!isReadable(task.run)) continue;
      named.add(task);
      addWithLater(task);
    }
  }
  return { named: [...named], meant: [...meant] };
};
