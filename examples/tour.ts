/**
 * What the library does, in one run of some seconds: `npm start`.
 *
 * Without HATCHET_CLIENT_TOKEN an engine in this process plays the server. With it, the same code talks to a real
 * Hatchet, whose workers should register the workflows below; others can be named: `npm start -- slow=my-task`.
 */
import {
  asEither,
  type BulkEvent,
  type HatchetError,
  matchError,
  type RunsClient,
  type TriggerOptions,
} from 'hatchet-rx';
import type { Engine } from 'hatchet-rx/testing';
import {
  catchError,
  concat,
  concatMap,
  count,
  defaultIfEmpty,
  filter,
  forkJoin,
  from,
  ignoreElements,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  range,
  switchMap,
  take,
  throwError,
  timeInterval,
} from 'rxjs';
import { type Playground, runAsScript } from './support/playground.ts';

/** The workflows that the tour triggers. */
export function workflows(engine: Engine): void {
  engine.workflow('quick', ({ n }) => ({ n, doubled: n * 2 }));
  engine.workflow('slow', async ({ ms }, task) => {
    await task.sleep(ms);
    return { slept: ms };
  });
  engine.workflow('fail', () => {
    throw new Error('it broke');
  });
  const flaky = async (_input: unknown, task: { retryCount: number; sleep(ms: number): Promise<void> }) => {
    await task.sleep(300);
    if (task.retryCount < 2) throw new Error(`attempt ${task.retryCount + 1} broke`);
    return { attempts: task.retryCount + 1 };
  };
  engine.workflow('flaky', flaky, { retries: 3, backoff: { factor: 1, maxSeconds: 1 } });
  engine.dag('dag', {
    first: { run: () => ({ step: 1 }) },
    second: { parents: ['first'], run: (_input, task) => ({ step: 2, got: task.parentOutput('first') }) },
  });
}

/** What each workflow of the tour is good for, under the name that it has unless an argument gives another. */
const ROLES = {
  quick: 'ends at once with an output',
  slow: 'sleeps for input.ms milliseconds',
  dag: 'has more than one step',
  flaky: 'fails twice and then succeeds',
  fail: 'always fails',
} as const;

type Role = keyof typeof ROLES;

/** What the chapters work with. */
interface Stage {
  readonly runs: RunsClient;
  readonly names: Readonly<Record<Role, string>>;
  /** Marks the tour's own runs, so that nobody else's are cancelled. */
  readonly tag: Readonly<Record<string, string>>;
  /** How every run of the tour is triggered. */
  readonly options: TriggerOptions;
}

interface Chapter {
  readonly title: string;
  readonly needs: readonly Role[];
  readonly play: (stage: Stage) => Observable<string>;
}

const CHAPTERS: readonly Chapter[] = [
  { title: 'Trigger a run and wait for its result', needs: ['quick'], play: triggerAndWait },
  { title: 'Watch a run live', needs: ['slow'], play: watchLive },
  { title: 'A DAG gives the output of every step', needs: ['dag'], play: runDag },
  { title: 'FAILED is not final while a retry follows', needs: ['flaky'], play: surviveRetries },
  { title: 'What goes wrong is a typed error', needs: ['fail'], play: showErrors },
  { title: 'Cancel a run, then replay it', needs: ['slow'], play: cancelAndReplay },
  { title: 'Cancel in bulk, with progress', needs: ['slow'], play: cancelInBulk },
  { title: 'List runs, page by page, each exactly once', needs: [], play: listPages },
  { title: 'Count runs by status', needs: [], play: countRuns },
];

/** The tour, as the lines that it prints. */
export function main({ hatchet, isEmbedded }: Playground, args: readonly string[] = []): Observable<string> {
  const { runs } = hatchet;
  const names = { quick: 'quick', slow: 'slow', dag: 'dag', flaky: 'flaky', fail: 'fail', ...namesIn(args) };
  const tag = { tour: crypto.randomUUID() };
  const stage: Stage = { runs, names, tag, options: { additionalMetadata: tag, waitTimeoutMs: 8_000 } };
  const server = isEmbedded
    ? 'No HATCHET_CLIENT_TOKEN is set: an engine in this process plays the server.'
    : `Talking to the server that HATCHET_CLIENT_TOKEN names, tenant ${hatchet.tenantId}.`;
  return concat(
    of(server),
    missingRoles(stage).pipe(
      switchMap((missing) =>
        concat(
          from(CHAPTERS).pipe(concatMap((chapter, index) => tell(chapter, index + 1, stage, missing))),
          ...(missing.length === 0 ? [] : [howToGetThem(stage, missing)]),
        ),
      ),
    ),
  );
}

function triggerAndWait({ runs, names, options }: Stage): Observable<string> {
  return runs
    .trigger(names.quick, { n: 21 }, options)
    .pipe(
      switchMap((run) =>
        concat(
          of(`trigger  → run ${run.id}`),
          run.result$.pipe(map((output) => `result$  → ${JSON.stringify(output)}`)),
        ),
      ),
    );
}

function watchLive({ runs, names, options }: Stage): Observable<string> {
  return runs.trigger(names.slow, { ms: 1_000 }, options).pipe(
    switchMap((run) => run.status$),
    timeInterval(),
    map(({ value, interval }) => `status$  → ${value} (after ${interval} ms)`),
  );
}

function runDag({ runs, names, options }: Stage): Observable<string> {
  return runs.trigger(names.dag, {}, options).pipe(
    switchMap((run) => run.result$),
    map((output) => `result$  → ${JSON.stringify(output)}`),
  );
}

function surviveRetries({ runs, names, options }: Stage): Observable<string> {
  return runs
    .trigger(names.flaky, { n: 0 }, options)
    .pipe(
      switchMap((run) => concat(run.status$.pipe(map((status) => `status$  → ${status}`)), attemptsOf(runs, run.id))),
    );
}

function attemptsOf(runs: RunsClient, taskRunId: string): Observable<string> {
  return runs.getTaskEvents(taskRunId).pipe(
    map((events) => {
      const told = events
        .toReversed()
        .filter(({ eventType }) => ['FAILED', 'RETRYING', 'FINISHED'].includes(eventType));
      return `history  → ${told.map(({ eventType }) => eventType).join(', ')}`;
    }),
  );
}

function showErrors({ runs, names, options }: Stage): Observable<string> {
  const failed = runs.trigger(names.fail, {}, options).pipe(switchMap((run) => run.result$));
  const unknown = runs.trigger('no-such-workflow', {}, options);
  const malformed = runs.get('no-uuid');
  return from<Observable<unknown>[]>([failed, unknown, malformed]).pipe(
    concatMap((operation) => operation.pipe(asEither())),
    map((either) => (either._tag === 'Left' ? explain(either.left) : 'no error')),
  );
}

/** `matchError` takes a handler for every kind of error: one that is missing does not compile. */
function explain(error: HatchetError): string {
  const plainly = ({ name, message }: HatchetError) => `${name.padEnd(22)} ${message}`;
  return matchError(error, {
    RunFailedError: ({ name, taskErrors }) =>
      `${name.padEnd(22)} ${taskErrors.map((task) => `${task.taskName}: ${task.message.split('\n', 1)[0]}`).join('; ')}`,
    WorkflowNotFoundError: ({ name, workflowName }) => `${name.padEnd(22)} "${workflowName}" is not registered`,
    ConfigError: ({ name, message }) => `${name.padEnd(22)} ${message}; nothing was sent`,
    RunCancelledError: plainly,
    RunNotFinishedError: plainly,
    RunNotFoundError: plainly,
    ConnectionError: plainly,
    TimeoutError: plainly,
    HttpStatusError: plainly,
    AuthenticationError: plainly,
    RateLimitedError: plainly,
    DecodeError: plainly,
    AmbiguousTriggerError: plainly,
    StreamInterruptedError: plainly,
  });
}

function cancelAndReplay({ runs, names, options }: Stage): Observable<string> {
  return runs.trigger(names.slow, { ms: 1_500 }, options).pipe(
    switchMap((run) => {
      const told = run.status$.pipe(map((status) => `status$  → ${status}`));
      const running = run.status$.pipe(
        filter((status) => status === 'RUNNING'),
        take(1),
      );
      return concat(
        merge(
          told,
          running.pipe(
            switchMap(() => run.cancel()),
            map(() => 'cancel() → done'),
          ),
        ),
        run.replay().pipe(map(() => 'replay() → a new attempt of the same run')),
        // Subscribing again looks again.
        told,
        runs.getTaskRun(run.id).pipe(map(({ attempt }) => `attempt  → ${attempt}`)),
      );
    }),
  );
}

const IN_BULK = 30;

function cancelInBulk({ runs, names, tag }: Stage): Observable<string> {
  const additionalMetadata = { ...tag, part: 'bulk' };
  const trigger = range(1, IN_BULK).pipe(
    mergeMap(() => runs.trigger(names.slow, { ms: 30_000 }, { additionalMetadata }), 8),
    // A filter finds what the server shows already: wait for the first sign of each run.
    mergeMap((run) => run.status$.pipe(take(1))),
    count(),
    map((n) => `triggered ${n} runs that would take 30 s each`),
  );
  // Several metadata pairs must all match, so only the runs from above are cancelled.
  const cancel = runs.bulkCancelByFiltersWithPagination({ additionalMetadata, chunkSize: 10, sleepTime: 300 });
  return concat(trigger, cancel.pipe(map(lineOf)));
}

function lineOf(event: BulkEvent): string {
  switch (event.type) {
    case 'plan':
      return `plan     → ${event.total} runs`;
    case 'chunk':
      return `chunk ${event.index + 1}  → ${event.affected.length} cancelled, ${event.done} of ${event.total} done`;
    case 'failure':
      return `failure  → ${event.ids.length} runs: ${event.error.message}`;
    case 'done':
      return `done     → ${event.affected} cancelled, ${event.failed} failed`;
  }
}

const PAGES_SHOWN = 4;

function listPages({ runs, tag }: Stage): Observable<string> {
  const own = runs.listIds({ additionalMetadata: tag }).pipe(count());
  return own.pipe(
    switchMap((n) =>
      // On a server without the demo workflows there is nothing of the tour's own, so everybody's runs are shown.
      runs.listPages({ pageSize: 10, includePayloads: false, ...(n > 0 ? { additionalMetadata: tag } : {}) }),
    ),
    take(PAGES_SHOWN),
    map(({ index, rows }) => {
      const [newest] = rows;
      return newest === undefined
        ? 'no runs in the last 24 hours'
        : `page ${index + 1}   → ${rows.length} runs, the newest: ${newest.displayName}, ${newest.status}`;
    }),
  );
}

function countRuns({ runs, tag }: Stage): Observable<string> {
  const line = (whose: string) =>
    map((metrics: readonly { readonly status: string; readonly count: number }[]) => {
      const some = metrics.filter((metric) => metric.count > 0).map((metric) => `${metric.count} ${metric.status}`);
      return `${whose} → ${some.join(', ') || 'none'}`;
    });
  return concat(
    runs.getMetrics({ additionalMetadata: tag }).pipe(line('of this tour       ')),
    runs.getMetrics().pipe(line('of the last 24 hours')),
  );
}

const WHY_SO_LONG =
  'On a real server: is a worker running? A retry with back-off may also start half a minute late. Going on.';

function tell(chapter: Chapter, number: number, stage: Stage, missing: readonly Role[]): Observable<string> {
  const lacking = chapter.needs.filter((role) => missing.includes(role));
  const body =
    lacking.length === 0
      ? chapter
          .play(stage)
          .pipe(
            catchError((error: HatchetError) =>
              error._tag === 'TimeoutError'
                ? of(`${error.name}: ${error.message}`, WHY_SO_LONG)
                : throwError(() => error),
            ),
          )
      : of(`skipped: this server has no workflow ${lacking.map((role) => `"${stage.names[role]}"`).join(', ')}`);
  return concat(of('', `${number}. ${chapter.title}`), body.pipe(map((line) => `   ${line}`)));
}

/** The roles whose workflow the server does not know. Asks without triggering anything. */
function missingRoles({ runs, names }: Stage): Observable<Role[]> {
  const roles = Object.keys(ROLES) as Role[];
  return forkJoin(
    roles.map((role) =>
      runs.list({ workflowNames: [names[role]], limit: 1, includePayloads: false }).pipe(
        ignoreElements(),
        defaultIfEmpty([] as Role[]),
        catchError((error: HatchetError) =>
          error._tag === 'WorkflowNotFoundError' ? of([role]) : throwError(() => error),
        ),
      ),
    ),
  ).pipe(map((missing) => missing.flat()));
}

function howToGetThem({ names }: Stage, missing: readonly Role[]): Observable<string> {
  return concat(
    of('', 'For the skipped parts, start a worker that registers these workflows, or name others that fit:'),
    from(missing).pipe(
      map((role) => `   ${`npm start -- ${role}=NAME`.padEnd(25)} one that ${ROLES[role]} (now "${names[role]}")`),
    ),
    of('Each run of the tour carries its own metadata, and only such runs are cancelled or replayed.'),
  );
}

/** `role=name` pairs. */
function namesIn(args: readonly string[]): Partial<Record<Role, string>> {
  return Object.fromEntries(
    args.map((arg) => arg.split('=', 2)).filter(([role]) => role !== undefined && role in ROLES),
  );
}

await runAsScript(import.meta.url, { workflows, main });
