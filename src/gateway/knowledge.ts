import { catchError, finalize, from, map, mergeMap, type Observable, of, share, tap, throwError, toArray } from 'rxjs';
import type { Endpoint } from '../http/endpoint.ts';
import { runStatus, runTimings } from '../http/endpoints.ts';
import { objectOf, objectOrEmpty, text } from '../model/reader.ts';
import type { V1TaskTiming } from '../model/activity.ts';
import type { V1TaskStatus } from '../model/status.ts';
import type { RunsContext } from '../runs/context.ts';
import { whenVisible } from '../runs/when-visible.ts';
import { isMissing, notFound } from './answers.ts';
import { carries, type Scope } from './authorize.ts';

/** What is known of a run or task: whose run it is, and the run's metadata, which never change. */
export interface Known {
  readonly runId: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What a gateway knows of runs, to hold requests to their scope. Looked up once, bounded. */
export interface Knowledge {
  has(runId: string): boolean;
  learn(runId: string, metadata: Known['metadata']): void;
  ofRun(runId: string): Observable<Known>;
  ofTask(taskRunId: string): Observable<Known>;
  status(runId: string): Observable<V1TaskStatus>;
  /** How the run's tasks stand. */
  tasks(runId: string): Observable<readonly V1TaskTiming[]>;
  /** Emits once if every run carries the scope. Errors: not found, also for runs that are outside of it. */
  allWithin(runIds: readonly string[], scope: Scope): Observable<unknown>;
  /** The same for ids that may be those of tasks. [hatchet] An id does not say which it is. */
  allActable(ids: readonly string[], scope: Scope): Observable<unknown>;
}

/** How many runs and tasks are known at most. */
const CAPACITY = 20_000;

/**
 * A run that was triggered elsewhere may be too young to be readable, by so many milliseconds. [hatchet] 33 ms at most on an
 * idle server; clients have more patience of their own.
 */
const GRACE_MS = 250;

/** How many look-ups are under way at once for one request. */
const LOOKS_AT_ONCE = 8;

const OPERATION = 'gateway.lookUp';

export function createKnowledge(context: RunsContext): Knowledge {
  const known = new Map<string, Known>();
  const underWay = new Map<string, Observable<unknown>>();

  const remember = (id: string, fact: Known): void => {
    known.delete(id);
    known.set(id, fact);
    const oldest = known.keys().next().value;
    if (known.size > CAPACITY && oldest !== undefined) known.delete(oldest);
  };

  /** Many readers of one run ask once. */
  const asked = <A>(key: string, endpoint: Endpoint<A>, graceMs = GRACE_MS): Observable<A> => {
    // The key tells the endpoint, and with it the type.
    const question = underWay.get(key) as Observable<A> | undefined;
    if (question !== undefined) return question;
    const look = whenVisible(context, OPERATION, endpoint.runId ?? '', context.exchange(endpoint), graceMs);
    const fresh = context.guard(look).pipe(
      finalize(() => underWay.delete(key)),
      share(),
    );
    underWay.set(key, fresh);
    return fresh;
  };

  const factOf = (id: string, endpoint: Endpoint<Known>, graceMs?: number): Observable<Known> => {
    const fact = known.get(id);
    return fact === undefined
      ? asked(endpoint.path(''), endpoint, graceMs).pipe(tap((found) => remember(id, found)))
      : of(fact);
  };

  const ofRun = (runId: string) => factOf(runId, runFact(runId));
  // Without grace: what is asked of a task that is not readable yet would find nothing either.
  const ofTask = (taskRunId: string) => factOf(taskRunId, taskFact(taskRunId), 0);

  const allCarry = (ids: readonly string[], scope: Scope, factOf: (id: string) => Observable<Known>) =>
    from(ids).pipe(
      mergeMap(
        (id) =>
          factOf(id).pipe(
            map(({ metadata }) => {
              if (!carries(metadata, scope)) throw notFound();
              return id;
            }),
          ),
        LOOKS_AT_ONCE,
      ),
      toArray(),
    );

  return {
    has: (runId) => known.has(runId),
    learn: (runId, metadata) => remember(runId, { runId, metadata }),
    ofRun,
    ofTask,
    status: (runId) => asked(`status ${runId}`, runStatus(OPERATION, runId)),
    tasks: (runId) => asked(`tasks ${runId}`, runTimings(OPERATION, runId, 0)).pipe(map(({ rows }) => rows)),
    allWithin: (runIds, scope) => allCarry(runIds, scope, ofRun),
    allActable: (ids, scope) =>
      allCarry(ids, scope, (id) =>
        ofRun(id).pipe(catchError((error: unknown) => (isMissing(error) ? ofTask(id) : throwError(() => error)))),
      ),
  };
}

const runFact = (runId: string): Endpoint<Known> => ({
  operation: OPERATION,
  method: 'GET',
  path: () => `/api/v1/stable/workflow-runs/${runId}`,
  read: (value) => ({
    runId,
    metadata: objectOf<{ run: { additionalMetadata: Known['metadata'] } }>({
      run: objectOf({ additionalMetadata: objectOrEmpty }),
    })(value).run.additionalMetadata,
  }),
  repeatable: true,
  runId,
});

const taskFact = (taskRunId: string): Endpoint<Known> => ({
  operation: OPERATION,
  method: 'GET',
  path: () => `/api/v1/stable/tasks/${taskRunId}`,
  read: (value) => {
    const { workflowRunExternalId, additionalMetadata } = objectOf<{
      workflowRunExternalId: string;
      additionalMetadata: Known['metadata'];
    }>({ workflowRunExternalId: text, additionalMetadata: objectOrEmpty })(value);
    return { runId: workflowRunExternalId, metadata: additionalMetadata };
  },
  repeatable: true,
  runId: taskRunId,
});
