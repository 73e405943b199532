import { formatMicros } from './clock.ts';
import type { JsonObject, JsonValue } from './json.ts';
import type { Timer } from './timers.ts';
import type { Step, Workflow } from './workflow.ts';

/** The statuses the server gives runs and tasks. */
export type Status = 'QUEUED' | 'RUNNING' | 'COMPLETED' | 'CANCELLED' | 'FAILED';

/** All of them, in the order in which task-metrics lists them. */
export const STATUSES: readonly Status[] = ['CANCELLED', 'COMPLETED', 'FAILED', 'QUEUED', 'RUNNING'];

/** Whether nothing more happens by itself. */
export const isEnded = (status: Status): boolean =>
  status === 'COMPLETED' || status === 'FAILED' || status === 'CANCELLED';

/** One go at a task. Times are microseconds, 0 = not set. */
export interface Attempt {
  readonly retryCount: number;
  status: Status;
  queuedUs: number;
  startedUs: number;
  finishedUs: number;
  error: string;
  output: JsonObject | undefined;
  /** A cancel came after the end: only `/tasks/{id}` shows it. */
  cancelledLate: boolean;
}

/** One event of a task. */
export interface TaskEvent {
  readonly id: number;
  readonly type: string;
  readonly retryCount: number;
  readonly micros: number;
  readonly message: string;
  readonly error: string;
  readonly output: string;
  readonly onWorker: boolean;
}

/** One log line of a task. */
export interface LogLine {
  readonly micros: number;
  readonly retryCount: number;
  readonly message: string;
}

/** One chunk of a task's stream. */
export interface StreamChunk {
  readonly index: number;
  readonly retryCount: number;
  readonly micros: number;
  readonly text: string;
}

/** A task: the only one of a single-task run, or a step of a DAG. */
export interface Task {
  readonly externalId: string;
  readonly taskId: number;
  readonly run: Run;
  readonly step: Step;
  readonly displayName: string;
  readonly createdUs: number;
  readonly createdAt: string;
  /** Outputs of the parent steps, and undefined for a step that was cancelled before it had an input. */
  readonly parents: JsonObject | undefined;
  /** All attempts so far; the last one is the present one. Never empty. */
  readonly attempts: [Attempt, ...Attempt[]];
  attempt: Attempt;
  /** retryCount at the last replay: retries are counted from here. */
  retryBase: number;
  events: TaskEvent[];
  logs: LogLine[];
  chunks: StreamChunk[];
  spawned: number;
  /** A replayed step that waits for its parents. */
  waiting: boolean;
  /** Set while a retry is due. */
  retryTimer: Timer | undefined;
  /** Changes whenever the task's place in the queue is void. */
  ticket: number;
  /** Stops the running attempt. */
  stop: ((reason: Error) => void) | undefined;
}

/** What the read model has learned of a run; it lags behind the tasks. Times are microseconds, 0 = not set. */
export interface RunReading {
  status: Status;
  retryCount: number;
  createdUs: number;
  startedUs: number;
  finishedUs: number;
  finishedSteps: number;
}

/** How much of a run can be read: nothing, its details, everything. */
export type Visibility = 'hidden' | 'details' | 'full';

/** A workflow run. */
export interface Run {
  readonly externalId: string;
  readonly seq: number;
  readonly workflow: Workflow;
  readonly displayName: string;
  readonly createdUs: number;
  readonly createdAt: string;
  readonly metadata: JsonObject;
  readonly input: JsonValue;
  readonly priority: number;
  readonly parentTaskId: string | undefined;
  /** Until then (microseconds) a cancel does not find it, unless it can be read already. */
  readonly storedUs: number;
  /** In the order of their creation. */
  readonly tasks: Task[];
  readonly reading: RunReading;
  visibility: Visibility;
  syncTimer: Timer | undefined;
  /** Called once, when the run ends for good. */
  waiters: ((run: Run) => void)[];
}

/** What happens in the store, for whoever serves it as a stream of events. */
export type StoreEvent =
  | { readonly type: 'chunk'; readonly task: Task; readonly chunk: StreamChunk }
  | { readonly type: 'task'; readonly task: Task; readonly event: TaskEvent }
  | { readonly type: 'run'; readonly run: Run };

/** Everything the engine knows. */
export interface Store {
  /** Readable runs, oldest first; ties in the order of their internal ids. */
  readonly runs: readonly Run[];
  /** Tasks of readable runs, in the same order. */
  readonly tasks: readonly Task[];
  runById(externalId: string): Run | undefined;
  taskById(externalId: string): Task | undefined;
  childrenOf(taskExternalId: string): readonly Run[];
  add(run: Run): void;
  addTask(task: Task): void;
  /** Makes a run and its tasks readable. */
  publish(run: Run): void;
  nextId(kind: 'run' | 'task' | 'event'): number;
  /** Calls `listener` for everything that happens; the function it returns ends that. */
  listen(listener: (event: StoreEvent) => void): () => void;
  emit(event: StoreEvent): void;
}

/** First index whose item is not before (`micros`, `id`). */
const lowerBound = <A>(items: readonly A[], before: (item: A) => boolean): number => {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const item = items[middle];
    if (item !== undefined && before(item)) low = middle + 1;
    else high = middle;
  }
  return low;
};

/** The part of `items` (sorted by creation) that lies in a window, as indices [from, to). */
export const windowOf = (
  items: readonly { readonly createdUs: number }[],
  sinceUs: number,
  sinceInclusive: boolean,
  untilUs: number,
): [from: number, to: number] => {
  const from = lowerBound(items, (item) => (sinceInclusive ? item.createdUs < sinceUs : item.createdUs <= sinceUs));
  const to = lowerBound(items, (item) => item.createdUs <= untilUs);
  return [from, Math.max(from, to)];
};

/** An empty store. */
export const createStore = (): Store => {
  const runs: Run[] = [];
  const tasks: Task[] = [];
  const runIds = new Map<string, Run>();
  const taskIds = new Map<string, Task>();
  const children = new Map<string, Run[]>();
  const ids = { run: 0, task: 0, event: 0 };
  const listeners = new Set<(event: StoreEvent) => void>();

  const insert = <A extends { readonly createdUs: number }>(items: A[], item: A, id: (item: A) => number): void => {
    const last = items.at(-1);
    const isBefore = (other: A): boolean =>
      other.createdUs < item.createdUs || (other.createdUs === item.createdUs && id(other) < id(item));
    if (last === undefined || isBefore(last)) items.push(item);
    else items.splice(lowerBound(items, isBefore), 0, item);
  };
  const insertTask = (task: Task): void => insert(tasks, task, (other) => other.taskId);

  return {
    runs,
    tasks,
    runById: (externalId) => runIds.get(externalId),
    taskById: (externalId) => taskIds.get(externalId),
    childrenOf: (taskExternalId) => children.get(taskExternalId) ?? [],
    add(run) {
      runIds.set(run.externalId, run);
      if (run.parentTaskId === undefined) return;
      const siblings = children.get(run.parentTaskId);
      if (siblings === undefined) children.set(run.parentTaskId, [run]);
      else siblings.push(run);
    },
    addTask(task) {
      task.run.tasks.push(task);
      taskIds.set(task.externalId, task);
      if (task.run.visibility === 'full') insertTask(task);
    },
    publish(run) {
      if (run.visibility === 'full') return;
      run.visibility = 'full';
      insert(runs, run, (other) => other.seq);
      for (const task of run.tasks) insertTask(task);
    },
    nextId(kind) {
      ids[kind] += 1;
      return ids[kind];
    },
    listen(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    emit(event) {
      for (const listener of listeners) listener(event);
    },
  };
};

/** A new attempt, QUEUED. */
export const createAttempt = (retryCount: number, queuedUs: number): Attempt => ({
  retryCount,
  status: 'QUEUED',
  queuedUs,
  startedUs: 0,
  finishedUs: 0,
  error: '',
  output: undefined,
  cancelledLate: false,
});

/** A new task with its first attempt; not in the store yet. */
export const createTask = (
  run: Run,
  step: Step,
  id: { externalId: string; taskId: number },
  createdUs: number,
  parents: JsonObject | undefined,
): Task => {
  const attempt = createAttempt(0, createdUs);
  // Spelled out, not spread: thousands of these are made, and spread ones are slow to make and to read.
  return {
    externalId: id.externalId,
    taskId: id.taskId,
    run,
    step,
    displayName: run.workflow.isDag ? `${step.name}-${Math.floor(createdUs / 1000)}` : run.displayName,
    createdUs,
    createdAt: createdUs === run.createdUs ? run.createdAt : formatMicros(createdUs),
    parents,
    attempts: [attempt],
    attempt,
    retryBase: 0,
    events: [],
    logs: [],
    chunks: [],
    spawned: 0,
    waiting: false,
    retryTimer: undefined,
    ticket: 0,
    stop: undefined,
  };
};

/** A new run without tasks; not in the store yet. */
export const createRun = (
  workflow: Workflow,
  id: { externalId: string; seq: number },
  createdUs: number,
  content: Pick<Run, 'metadata' | 'input' | 'priority' | 'parentTaskId' | 'storedUs'>,
): Run => ({
  externalId: id.externalId,
  seq: id.seq,
  metadata: content.metadata,
  input: content.input,
  priority: content.priority,
  parentTaskId: content.parentTaskId,
  storedUs: content.storedUs,
  workflow,
  displayName: `${workflow.name}-${Math.floor(createdUs / 1000)}`,
  createdUs,
  createdAt: formatMicros(createdUs),
  tasks: [],
  reading: { status: 'QUEUED', retryCount: 0, createdUs: 0, startedUs: 0, finishedUs: 0, finishedSteps: 0 },
  visibility: 'hidden',
  syncTimer: undefined,
  waiters: [],
});
