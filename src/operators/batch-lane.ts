import { Observable, type Subscription } from 'rxjs';

/** Hands items in and gets each one's result, when all of them have one. */
export type BatchLane<R> = (items: readonly string[]) => Observable<ReadonlyMap<string, R>>;

/** A batch under way, and who waits for each of its items. */
interface Batch<R> {
  readonly items: Map<string, Set<Ticket<R>>>;
  subscription?: Subscription;
}

/** One subscription's items. */
interface Ticket<R> {
  readonly open: Set<string>;
  readonly results: Map<string, R>;
  readonly done: (results: ReadonlyMap<string, R>) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Runs a work on items batch after batch, never two batches at a time; items that are handed in while a batch is under
 * way go together into the next one, whoever handed them in.
 *
 * The Observables that it gives emit once and complete; they error with the work's error if one of their items was in that
 * batch. Unsubscribing takes the items that still wait out of the queue, and ends a batch that nobody waits for any more.
 *
 * @param work - works on a batch and emits the result of each item, once
 * @param size - items per batch at most
 */
export function createBatchLane<R>(
  work: (items: readonly string[]) => Observable<ReadonlyMap<string, R>>,
  size: number,
): BatchLane<R> {
  /** Waiting items and who waits for them; a Map keeps the order of arrival. */
  const waiting = new Map<string, Set<Ticket<R>>>();
  let underWay: Batch<R> | undefined;

  const startNext = () => {
    if (underWay !== undefined || waiting.size === 0) return;
    const items = new Map([...waiting].slice(0, size));
    for (const item of items.keys()) waiting.delete(item);
    const batch: Batch<R> = { items };
    underWay = batch;
    batch.subscription = work([...items.keys()]).subscribe({
      next: (results) => settle(items, results),
      error: (error: unknown) => {
        const tickets = new Set<Ticket<R>>();
        for (const those of items.values()) for (const ticket of those) tickets.add(ticket);
        for (const ticket of tickets) ticket.fail(error);
      },
    });
    // Runs at the batch's end, its error and its unsubscription alike.
    batch.subscription.add(() => {
      underWay = undefined;
      startNext();
    });
  };

  return (items) =>
    new Observable((subscriber) => {
      const ticket: Ticket<R> = {
        open: new Set(items),
        results: new Map(),
        done: (results) => {
          subscriber.next(results);
          subscriber.complete();
        },
        fail: (error) => subscriber.error(error),
      };
      if (ticket.open.size === 0) {
        ticket.done(ticket.results);
        return undefined;
      }
      for (const item of ticket.open) waiting.set(item, (waiting.get(item) ?? new Set()).add(ticket));
      startNext();
      return () => {
        forget(waiting, ticket);
        if (underWay === undefined) return;
        forget(underWay.items, ticket);
        if (underWay.items.size === 0) underWay.subscription?.unsubscribe();
      };
    });
}

function settle<R>(batch: ReadonlyMap<string, ReadonlySet<Ticket<R>>>, results: ReadonlyMap<string, R>): void {
  for (const [item, result] of results) {
    for (const ticket of batch.get(item) ?? []) {
      ticket.results.set(item, result);
      ticket.open.delete(item);
      if (ticket.open.size === 0) ticket.done(ticket.results);
    }
  }
}

function forget<R>(items: Map<string, Set<Ticket<R>>>, ticket: Ticket<R>): void {
  for (const [item, tickets] of items) {
    tickets.delete(ticket);
    if (tickets.size === 0) items.delete(item);
  }
}
