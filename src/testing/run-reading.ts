import type { Clock } from './clock.ts';
import { isEnded } from './store.ts';
import type { Run, Status } from './store.ts';

/** Whether nothing of the run happens any more by itself: every step is there and ended, no retry is due. */
export const isSettled = (run: Run): boolean =>
  run.tasks.length === run.workflow.steps.length &&
  run.tasks.every((task) => isEnded(task.attempt.status) && task.retryTimer === undefined && !task.waiting);

/** The status of a run, from its tasks. */
export const statusOf = (run: Run): Status => {
  const [first] = run.tasks;
  if (first === undefined) return 'QUEUED';
  if (!run.workflow.isDag) return first.attempt.status;
  const statuses = run.tasks.map((task) => task.attempt.status);
  if (run.tasks.length === run.workflow.steps.length && statuses.every(isEnded)) {
    if (statuses.includes('FAILED')) return 'FAILED';
    return statuses.includes('CANCELLED') ? 'CANCELLED' : 'COMPLETED';
  }
  return statuses.every((status) => status === 'QUEUED') ? 'QUEUED' : 'RUNNING';
};

/** Lets the read model learn of the run's present state; its times are those of the learning. */
export const readRun = (run: Run, clock: Clock): void => {
  const { reading } = run;
  const single = run.workflow.isDag ? undefined : run.tasks[0];
  const retryCount = single?.attempt.retryCount ?? run.tasks[0]?.retryBase ?? 0;
  // [hatchet] a new attempt starts all times of the run anew, the creation time included
  if (retryCount !== reading.retryCount) {
    Object.assign(reading, { retryCount, createdUs: 0, startedUs: 0, finishedUs: 0, finishedSteps: 0 });
  }
  const now = clock.now();
  const attempts = run.tasks.map((task) => task.attempt);
  if (reading.createdUs === 0) reading.createdUs = now;
  if (attempts.some((attempt) => attempt.startedUs !== 0)) reading.startedUs ||= now;
  else reading.startedUs = 0;
  // [hatchet] a DAG that still runs has the time of its latest finished step
  const finishedSteps = attempts.filter((attempt) => attempt.finishedUs !== 0).length;
  if (finishedSteps !== reading.finishedSteps) {
    reading.finishedSteps = finishedSteps;
    reading.finishedUs = finishedSteps === 0 ? 0 : now;
  }
  reading.status = statusOf(run);
};
