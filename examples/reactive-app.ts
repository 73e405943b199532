/**
 * A reactive app: the view model of a dashboard that follows some runs, and counts all runs like them.
 *
 * `npm run example examples/reactive-app.ts`, on an embedded engine; with HATCHET_CLIENT_TOKEN on a real Hatchet whose
 * workers know the workflows `quick`, `slow` and `fail`.
 */
import { asEither, type RunsClient, type V1TaskStatus, type WorkflowRunRef } from 'hatchet-rx';
import type { Engine } from 'hatchet-rx/testing';
import {
  auditTime,
  catchError,
  combineLatest,
  concat,
  distinctUntilChanged,
  EMPTY,
  endWith,
  exhaustMap,
  forkJoin,
  ignoreElements,
  map,
  type Observable,
  reduce,
  share,
  startWith,
  switchMap,
  takeUntil,
  timer,
} from 'rxjs';
import { type Playground, runAsScript } from './support/playground.ts';

/** One run, as it is shown. */
export interface Tile {
  readonly runId: string;
  readonly status: V1TaskStatus | 'PENDING';
  /** What came of it: its output, or the name of its error. Empty while it goes on. */
  readonly outcome: string;
}

/** What the dashboard shows. */
export interface Dashboard {
  readonly tiles: readonly Tile[];
  /** How many runs have each status, of all that carry the dashboard's metadata. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What the dashboard follows. */
export interface DashboardOptions {
  readonly runs: RunsClient;
  readonly refs: readonly WorkflowRunRef<unknown>[];
  readonly additionalMetadata: Readonly<Record<string, string>>;
  /** The pause between two counts, in milliseconds. */
  readonly refreshMs: number;
}

/**
 * The dashboard's view model.
 *
 * Emits: whenever something that is shown has changed. Completes: when every run has ended and was counted once more.
 * Errors: when the runs cannot be counted. A run that fails is a tile, not an error.
 */
export function dashboard({ runs, refs, additionalMetadata, refreshMs }: DashboardOptions): Observable<Dashboard> {
  const tiles$ = combineLatest(refs.map(tileOf)).pipe(share());
  const allEnded$ = tiles$.pipe(ignoreElements(), endWith('all ended'));
  const count$ = runs
    .listWithPagination({ additionalMetadata, includePayloads: false })
    .pipe(reduce(oneMore, {} as Dashboard['counts']));
  const counts$ = concat(
    timer(0, refreshMs).pipe(
      exhaustMap(() => count$),
      takeUntil(allEnded$),
    ),
    count$,
  );
  return combineLatest({ tiles: tiles$, counts: counts$ }).pipe(
    // What changes together is shown together.
    auditTime(0),
    distinctUntilChanged(looksTheSame),
  );
}

/** A run as a tile. Both streams of a ref share their looks at the server. */
function tileOf({ id, status$, result$ }: WorkflowRunRef<unknown>): Observable<Tile> {
  const outcome$ = result$.pipe(
    asEither(),
    map((either) => (either._tag === 'Right' ? JSON.stringify(either.right) : either.left.name)),
  );
  return combineLatest({
    // What status$ errors with, result$ errors with too: one of them will do for the tile.
    status: status$.pipe(
      catchError(() => EMPTY),
      startWith('PENDING' as const),
    ),
    outcome: outcome$.pipe(startWith('')),
  }).pipe(map(({ status, outcome }) => ({ runId: id, status, outcome })));
}

function oneMore(counts: Dashboard['counts'], { status }: { readonly status: V1TaskStatus }): Dashboard['counts'] {
  return { ...counts, [status]: (counts[status] ?? 0) + 1 };
}

function looksTheSame(a: Dashboard, b: Dashboard): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** The workflows that the dashboard's runs are of. */
export function workflows(engine: Engine): void {
  engine.workflow('quick', ({ n }) => ({ n }));
  engine.workflow('slow', async ({ ms }, task) => {
    await task.sleep(ms);
    return { slept: ms };
  });
  engine.workflow('fail', () => {
    throw new Error('it broke');
  });
}

/** Triggers a few runs and shows the dashboard until all of them have ended: one line for each view. */
export function main({ hatchet: { runs } }: Pick<Playground, 'hatchet'>): Observable<string> {
  const additionalMetadata = { app: 'dashboard', session: crypto.randomUUID() };
  const options = { additionalMetadata, waitTimeoutMs: 20_000 };
  const triggers = [
    runs.trigger('quick', { n: 1 }, options),
    runs.trigger('slow', { ms: 600 }, options),
    runs.trigger('slow', { ms: 1_200 }, options),
    runs.trigger('fail', {}, options),
  ];
  return forkJoin(triggers).pipe(
    switchMap((refs) => dashboard({ runs, refs, additionalMetadata, refreshMs: 250 })),
    map(lineOf),
  );
}

function lineOf({ tiles, counts }: Dashboard): string {
  const shown = tiles.map(({ status, outcome }) => `[${status}${outcome === '' ? '' : ` ${outcome}`}]`);
  const sums = Object.entries(counts).map(([status, n]) => `${n} ${status}`);
  return `${shown.join(' ')}  ${sums.join(', ')}`;
}

await runAsScript(import.meta.url, { workflows, main });
