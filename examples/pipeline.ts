/**
 * An event-driven pipeline: every order of a stream is priced by a run, priced orders are shipped by a second run, and
 * what fails is replayed before it is given up.
 *
 * `npm run example examples/pipeline.ts`, on an embedded engine; with HATCHET_CLIENT_TOKEN on a real Hatchet whose
 * workers know the workflows `price-order` and `ship-order`.
 */
import { defineWorkflow, type HatchetError, isHatchetError, type RunsClient, type WorkflowRunRef } from 'hatchet-rx';
import type { Engine } from 'hatchet-rx/testing';
import * as t from 'io-ts';
import { catchError, interval, map, mergeMap, type Observable, of, retry, switchMap, take, throwError } from 'rxjs';
import { type Playground, runAsScript } from './support/playground.ts';

/** What is sold. */
export interface Order {
  readonly orderId: string;
  readonly items: number;
}

const priced = t.type({ orderId: t.string, total: t.number });

const priceOrder = defineWorkflow({
  name: 'price-order',
  input: t.type({ orderId: t.string, items: t.number }),
  output: priced,
});
const shipOrder = defineWorkflow({ name: 'ship-order', input: priced, output: t.type({ parcel: t.string }) });

/** What became of an order. */
export type Outcome =
  | { readonly type: 'shipped'; readonly order: Order; readonly total: number; readonly parcel: string }
  | { readonly type: 'given up'; readonly order: Order; readonly error: HatchetError };

/** How a pipeline works. */
export interface PipelineOptions {
  readonly runs: RunsClient;
  /** How many orders are under way at once; further ones wait. */
  readonly concurrency: number;
  /** How often a run that failed is replayed. */
  readonly replays: number;
}

/**
 * Sends orders through the workflows.
 *
 * Emits: one outcome per order, as they are reached. Completes: when the orders have completed and all of them are done.
 * Errors: with what is wrong with the program or with the connection; an order that fails is an outcome.
 */
export function pipeline(orders$: Observable<Order>, options: PipelineOptions): Observable<Outcome> {
  const { runs, concurrency, replays } = options;
  const process = (order: Order): Observable<Outcome> =>
    runs.trigger(priceOrder, order, { additionalMetadata: { order: order.orderId } }).pipe(
      switchMap((run) => resultOrReplay(run, replays)),
      switchMap((bill) =>
        runs.trigger(shipOrder, bill, { additionalMetadata: { order: order.orderId } }).pipe(
          switchMap((run) => resultOrReplay(run, replays)),
          map(({ parcel }): Outcome => ({ type: 'shipped', order, total: bill.total, parcel })),
        ),
      ),
      catchError((error: unknown) =>
        isOutcomeOfRun(error) ? of<Outcome>({ type: 'given up', order, error }) : throwError(() => error),
      ),
    );
  return orders$.pipe(mergeMap(process, concurrency));
}

/** A run's result; a run that failed is replayed, and waited for again. */
function resultOrReplay<O>(run: WorkflowRunRef<O>, replays: number): Observable<O> {
  // Subscribing to result$ again looks again, so `retry` is all that it takes.
  return run.result$.pipe(
    retry({
      count: replays,
      delay: (error: unknown) => (isFailure(error) ? run.replay() : throwError(() => error)),
    }),
  );
}

function isFailure(error: unknown): boolean {
  return isHatchetError(error) && error._tag === 'RunFailedError';
}

/** Errors that concern one order only; all others would hit the next order too. */
function isOutcomeOfRun(error: unknown): error is HatchetError {
  return isHatchetError(error) && ['RunFailedError', 'RunCancelledError', 'DecodeError'].includes(error._tag);
}

/** The workflows of the pipeline. The price of every third order needs a replay, that of the seventh never works. */
export function workflows(engine: Engine): void {
  engine.workflow('price-order', async ({ orderId, items }, task) => {
    await task.sleep(100);
    const number = Number(orderId);
    if (number === 7 || (number % 3 === 0 && task.retryCount === 0)) throw new Error(`no price for order ${orderId}`);
    return { orderId, total: items * 25 };
  });
  engine.workflow('ship-order', ({ orderId }) => ({ parcel: `parcel-${orderId}` }));
}

/** Eight orders, one every 50 ms, three under way at once. */
export function main({ hatchet: { runs } }: Pick<Playground, 'hatchet'>): Observable<string> {
  const orders$ = interval(50).pipe(
    take(8),
    map((n): Order => ({ orderId: String(n + 1), items: n + 1 })),
  );
  return pipeline(orders$, { runs, concurrency: 3, replays: 2 }).pipe(map(lineOf));
}

function lineOf(outcome: Outcome): string {
  const { order } = outcome;
  return outcome.type === 'shipped'
    ? `order ${order.orderId}: shipped as ${outcome.parcel} for ${outcome.total}`
    : `order ${order.orderId}: given up (${outcome.error.message})`;
}

await runAsScript(import.meta.url, { workflows, main });
