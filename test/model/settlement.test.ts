import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  readTaskEvent,
  readRunDetails,
  type V1TaskEvent,
  type V1TaskSummary,
  type V1WorkflowRunDetails,
} from '../../src/model/run.ts';
import { isTerminal, KNOWN_STATUSES, type V1TaskStatus } from '../../src/model/status.ts';
import { assess, attemptsOf, plainErrorText, verdictOf } from '../../src/runs/settlement.ts';
import { recording } from './support/recordings.ts';

const detailsOf = (name: string): V1WorkflowRunDetails => readRunDetails(recording(`${name}-details`).body);

const historyOf = (name: string): readonly V1TaskEvent[] =>
  (recording(`${name}-task-events`).body as { readonly rows: readonly unknown[] }).rows.map(readTaskEvent);

/** An event of a task's history. */
const event = (eventType: string, retryCount: number): V1TaskEvent => ({
  id: 0,
  taskId: 't',
  timestamp: new Date(0),
  message: '',
  eventType,
  retryCount,
});

const [someTask] = detailsOf('single-failed').tasks;
if (someTask === undefined) throw new Error('a recording without tasks');

/** A failed task after so many retries. */
const failed = (retryCount: number): V1TaskSummary => ({
  ...someTask,
  status: 'FAILED',
  retryCount,
  attempt: retryCount + 1,
});

describe('assess, on recordings', () => {
  it.for([
    ['single-queued', 'QUEUED'],
    ['single-running', 'RUNNING'],
    ['dag-running', 'RUNNING'],
    ['durable-running', 'RUNNING'],
    ['parent-running', 'RUNNING'],
    ['retry-queued', 'QUEUED'],
    ['retry-running-second', 'RUNNING'],
  ] as const)('%s goes on (%s), whatever its times and old errors say', ([name, status]) => {
    expect(assess(detailsOf(name), 0)).toEqual({ state: 'live', status });
  });

  it.for(['single-cancelled-queued', 'single-cancelled-running', 'dag-cancelled'] as const)('%s has ended', (name) => {
    expect(assess(detailsOf(name), 0)).toEqual({ state: 'ended', ending: { status: 'CANCELLED' } });
  });

  it.for(['single-completed', 'unicode', 'big', 'null-output', 'replayed-completed', 'retry-completed'] as const)(
    "%s has ended with its task's output, although an old error may be left over",
    (name) => {
      const details = detailsOf(name);
      expect(assess(details, 0)).toEqual({
        state: 'ended',
        ending: { status: 'COMPLETED', output: details.tasks[0]?.output },
      });
    },
  );

  it('a completed DAG has ended with the output of every step, under its name', () => {
    const assessment = assess(detailsOf('dag-completed'), 0);
    expect(assessment).toMatchObject({ state: 'ended', ending: { status: 'COMPLETED' } });
    const { output } = (assessment as { ending: { output: object } }).ending;
    expect(Object.keys(output).sort()).toEqual(['a', 'b', 'c']);
    const details = detailsOf('dag-completed');
    for (const { taskName, taskExternalId } of details.shape) {
      const step = details.tasks.find((task) => task.taskExternalId === taskExternalId);
      expect(output).toHaveProperty(taskName, step?.output);
    }
  });

  it.for(['single-failed', 'single-timeout'] as const)('%s is final: its task has no retries', (name) => {
    const details = detailsOf(name);
    expect(assess(details, 0)).toMatchObject({
      state: 'ended',
      ending: { status: 'FAILED', taskErrors: [{ taskRunId: details.run.metadata.id, attempts: 1 }] },
    });
  });

  it.for(['dag-failed', 'dag-replayed'] as const)('%s is final, and only the failed step is blamed', (name) => {
    const details = detailsOf(name);
    const step = details.tasks.find(({ status }) => status === 'FAILED');
    expect(assess(details, 0)).toMatchObject({
      state: 'ended',
      ending: {
        status: 'FAILED',
        taskErrors: [{ taskName: 'bad', taskRunId: step?.taskExternalId, attempts: step?.attempt }],
      },
    });
  });

  it('a failure with a retry left is not final by the details', () => {
    const details = detailsOf('retry-failed-between-attempts');
    expect(assess(details, 0)).toMatchObject({
      state: 'failed',
      ending: { status: 'FAILED' },
      tasks: [{ task: { taskExternalId: details.run.metadata.id }, retries: 1 }],
    });
  });

  it("errors lose the SDK's line for machines, and keep the text", () => {
    const assessment = assess(detailsOf('single-failed'), 0);
    const { taskErrors } = (assessment as { ending: { taskErrors: readonly { message: string }[] } }).ending;
    expect(taskErrors[0]?.message).toMatch(/^\w+Error: /);
    expect(taskErrors[0]?.message).not.toContain('__hatchet_error_metadata__');
  });

  it('a time-out has an empty text', () => {
    const assessment = assess(detailsOf('single-timeout'), 0);
    expect(assessment).toMatchObject({ ending: { taskErrors: [{ message: '' }] } });
  });
});

describe('assess after a replay', () => {
  it.for(['single-completed', 'single-failed', 'single-cancelled-running', 'dag-completed', 'dag-failed'] as const)(
    '%s is old news while the attempts of the replay do not show',
    (name) => {
      const details = detailsOf(name);
      const shown = attemptsOf(details.tasks);
      expect(assess(details, shown + 1)).toEqual({ state: 'live', status: 'QUEUED' });
      expect(assess(details, shown).state).not.toBe('live');
    },
  );

  it('attempts of all tasks count; one without a count is a first attempt', () => {
    expect(attemptsOf(detailsOf('dag-replayed').tasks)).toBe(6);
    expect(attemptsOf([{}, { attempt: 3 }])).toBe(4);
    expect(attemptsOf([])).toBe(0);
  });
});

describe('assess, when parts lag behind', () => {
  const completed = detailsOf('dag-completed');

  it('COMPLETED with a task that still runs is settling', () => {
    const tasks = completed.tasks.map((task, index) => (index === 0 ? { ...task, status: 'RUNNING' as const } : task));
    expect(assess({ ...completed, tasks }, 0)).toMatchObject({ state: 'settling', ending: { status: 'COMPLETED' } });
  });

  it('COMPLETED without all its steps, or without any task, is settling', () => {
    expect(assess({ ...completed, tasks: completed.tasks.slice(1) }, 0).state).toBe('settling');
    expect(assess({ ...completed, tasks: [] }, 0).state).toBe('settling');
  });

  it('FAILED before any of its tasks is settling', () => {
    const details = detailsOf('single-failed');
    const tasks = details.tasks.map((task) => ({ ...task, status: 'RUNNING' as const }));
    expect(assess({ ...details, tasks }, 0)).toEqual({
      state: 'settling',
      ending: { status: 'FAILED', taskErrors: [] },
    });
  });

  it('FAILED without the definition is left to the history', () => {
    const { workflowConfig: _, ...details } = detailsOf('single-failed');
    expect(assess(details, 0)).toMatchObject({ state: 'failed', tasks: [{ retries: undefined }] });
  });

  it('a run whose status is new to this version goes on', () => {
    const status = 'UNKNOWN:PAUSED' as const;
    expect(assess({ ...completed, run: { ...completed.run, status } }, 0)).toEqual({ state: 'live', status });
  });
});

describe('assess, any details', () => {
  const base = detailsOf('dag-completed');
  const anyDetails = fc
    .record({
      run: fc.constantFrom<V1TaskStatus>(...KNOWN_STATUSES, 'UNKNOWN:X'),
      tasks: fc.array(
        fc.record({
          status: fc.constantFrom<V1TaskStatus>(...KNOWN_STATUSES, 'UNKNOWN:X'),
          attempt: fc.integer({ min: 1, max: 4 }),
        }),
        { maxLength: 3 },
      ),
      retries: fc.option(fc.nat({ max: 2 }), { nil: undefined }),
    })
    .map(({ run, tasks, retries }) => variantOf(run, tasks, retries));

  function variantOf(
    status: V1TaskStatus,
    changes: readonly object[],
    retries: number | undefined,
  ): V1WorkflowRunDetails {
    const { workflowConfig, ...rest } = base;
    const tasks = base.tasks.slice(0, changes.length).map((task, index) => Object.assign({}, task, changes[index]));
    const details = { ...rest, run: { ...base.run, status }, tasks };
    if (retries === undefined || workflowConfig === undefined) return details;
    const Tasks = workflowConfig.Tasks.map((task) => Object.assign({}, task, { Retries: retries }));
    return { ...details, workflowConfig: { ...workflowConfig, Tasks } };
  }

  it('is live exactly while the run is not terminal or shows too few attempts; the ending has the status of the run', () => {
    fc.assert(
      fc.property(anyDetails, fc.nat({ max: 12 }), (details, atLeast) => {
        const assessment = assess(details, atLeast);
        const live = !isTerminal(details.run.status) || attemptsOf(details.tasks) < atLeast;
        expect(assessment.state === 'live').toBe(live);
        expect(assessment.state === 'live' ? details.run.status : assessment.ending.status).toBe(details.run.status);
      }),
    );
  });

  it('COMPLETED is never believed while a task goes on; FAILED never while a failed task may have retries', () => {
    fc.assert(
      fc.property(anyDetails, (details) => {
        const assessment = assess(details, 0);
        const ended = assessment.state === 'ended' ? assessment.ending.status : undefined;
        const unfinished = details.tasks.some(({ status }) => !isTerminal(status));
        expect(ended === 'COMPLETED' && unfinished).toBe(false);
        const retryable = details.workflowConfig?.Tasks.some(({ Retries }) => Retries > 0) ?? true;
        expect(ended === 'FAILED' && retryable).toBe(false);
      }),
    );
  });
});

describe('verdictOf, on recordings', () => {
  it('the failed first attempt of a task with one retry will be retried', () => {
    const uptoFailure = historyOf('retry').filter(({ timestamp }) => timestamp <= new Date('2026-11-23T20:28:55.065Z'));
    expect(uptoFailure.map(({ eventType }) => eventType)).toContain('RETRYING');
    expect(verdictOf({ task: failed(0), retries: 1 }, uptoFailure)).toBe('retrying');
  });

  it('before the server has written RETRYING, it is unclear', () => {
    const early = historyOf('retry').filter(
      ({ eventType, retryCount }) => retryCount === 0 && eventType !== 'RETRYING',
    );
    expect(early.map(({ eventType }) => eventType)).toContain('FAILED');
    expect(verdictOf({ task: failed(0), retries: 1 }, early)).toBe('unclear');
  });

  it('after the last retry it is final', () => {
    expect(verdictOf({ task: failed(1), retries: 1 }, historyOf('retry'))).toBe('final');
  });

  it('a replay starts the retries afresh', () => {
    const replayed = historyOf('replayed');
    expect(replayed.map(({ eventType }) => eventType)).toContain('RETRIED_BY_USER');
    expect(verdictOf({ task: failed(1), retries: 0 }, replayed)).toBe('final');
    expect(verdictOf({ task: failed(1), retries: 1 }, replayed)).toBe('unclear');
    expect(verdictOf({ task: failed(2), retries: 1 }, replayed)).toBe('final');
  });

  it('a task without retries is final with or without a history', () => {
    expect(verdictOf({ task: failed(0), retries: 0 }, [])).toBe('final');
    expect(verdictOf({ task: failed(0), retries: 0 }, historyOf('single-failed'))).toBe('final');
  });

  it('without a definition only an announced retry is certain', () => {
    expect(verdictOf({ task: failed(0), retries: undefined }, historyOf('single-failed'))).toBe('unclear');
    expect(verdictOf({ task: failed(0), retries: undefined }, [event('RETRYING', 1)])).toBe('retrying');
  });
});

describe('verdictOf, any history', () => {
  /** The life of a task: rounds of failed attempts, a replay between two of them. */
  const life = fc.record({
    retries: fc.nat({ max: 3 }),
    /** Attempts made in each round; a replay may come before they are used up. */
    rounds: fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 4 }),
    announced: fc.boolean(),
    seed: fc.infiniteStream(fc.nat({ max: 1_000 })),
  });

  it('is final exactly when the attempts since the last replay are used up, in whatever order the events come', () => {
    fc.assert(
      fc.property(life, ({ retries, rounds, announced, seed }) => {
        const history: V1TaskEvent[] = [];
        let current = -1;
        let inRound = 0;
        for (const [index, wanted] of rounds.entries()) {
          if (index > 0) history.push(event('RETRIED_BY_USER', current));
          inRound = Math.min(wanted, retries) + 1;
          for (let attempt = 0; attempt < inRound; attempt += 1) {
            current += 1;
            if (attempt > 0) history.push(event('RETRYING', current));
            history.push(event('STARTED', current), event('FAILED', current));
          }
        }
        const spent = inRound === retries + 1;
        if (announced && !spent) history.push(event('RETRYING', current + 1));
        const shuffled = history
          .map((each) => [seed.next().value, each] as const)
          .sort(([a], [b]) => a - b)
          .map(([, each]) => each);
        const verdict = verdictOf({ task: failed(current), retries }, shuffled);
        expect(verdict).toBe(spent ? 'final' : announced ? 'retrying' : 'unclear');
      }),
    );
  });
});

describe('plainErrorText', () => {
  it('cuts only the line for machines', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const machine = '\n\n{"__hatchet_error_metadata__": {"task_run_external_id": "x"}}';
        expect(plainErrorText(text + machine)).toBe(text.trimEnd());
        expect(plainErrorText(text)).toBe(text.trimEnd());
      }),
    );
  });
});
