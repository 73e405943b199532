import {
  catchError,
  concat,
  defer,
  ignoreElements,
  map,
  merge,
  type Observable,
  of,
  retry,
  throwError,
  timer,
} from 'rxjs';
import type { Diagnose } from '../diagnostics.ts';
import { type HatchetError, isHatchetError } from '../error/errors.ts';
import { backoffMs, type ResolvedRetryPolicy } from '../http/retry-policy.ts';
import type { Engine, Target } from './engine.ts';
import type { WorkflowEvent } from './messages.ts';
import { isSettingsFault } from './status.ts';

/** What a call that is kept open says. */
export type Signal =
  /** The call has reached the engine: what happens from now on will be told. `pinned`: and the engine will not end it. */
  | { readonly type: 'open'; readonly pinned: boolean }
  | { readonly type: 'event'; readonly event: WorkflowEvent }
  /** The call has ended, and is made again. Without an error: the engine ended it, which means nothing. */
  | { readonly type: 'ended'; readonly error: HatchetError | undefined };

export interface SubscriptionContext {
  readonly engine: Engine;
  readonly retry: ResolvedRetryPolicy;
  readonly diagnose: Diagnose;
}

/** The engine ended the call with OK, which is no reason to stop. */
class HungUp extends Error {}

/**
 * A call for run events that is made again whenever it ends.
 *
 * Emits: `open` when the engine has the call, each event, `ended` for each end. Never completes. Errors: with what making
 * the call again cannot mend (a refused token, wrong settings). Unsubscribing cancels the call.
 *
 * [hatchet] The engine does not acknowledge a subscription. But one connection keeps the order of calls: an answer to a
 * later call means that the engine has the earlier one.
 */
export function keptOpen(context: SubscriptionContext, operation: string, target: Target): Observable<Signal> {
  const { engine, retry: policy, diagnose } = context;
  return defer(() => {
    /** Calls in a row that ended before they gave anything. */
    let futile = 0;
    const events = engine.subscribe(operation, target).pipe(
      map((event): Signal => {
        futile = 0;
        return { type: 'event', event };
      }),
    );
    const hangUp = throwError(() => new HungUp());
    const fence = engine.fence(operation).pipe(ignoreElements());
    return merge(
      // In this order: the fence proves only what was sent before it.
      concat(events, hangUp),
      concat(fence, of<Signal>({ type: 'open', pinned: false })),
    ).pipe(
      catchError((reason: unknown) => {
        const error = isHatchetError(reason) ? reason : undefined;
        if (error === undefined && !(reason instanceof HungUp)) return throwError(() => reason);
        return concat(
          of<Signal>({ type: 'ended', error }),
          throwError(() => reason),
        );
      }),
      retry({
        delay: (reason: unknown) => {
          if (!(reason instanceof HungUp) && !(isHatchetError(reason) && mayMend(reason))) throw reason;
          futile += 1;
          // At once the first time: what is streamed meanwhile is gone.
          if (futile === 1) return of(undefined);
          const delayMs = Math.max(20, backoffMs(policy, futile - 1, Math.random));
          if (isHatchetError(reason)) diagnose?.({ type: 'retry', operation, attempt: futile, delayMs, error: reason });
          return timer(delayMs);
        },
      }),
    );
  });
}

function mayMend(error: HatchetError): boolean {
  // By run id, the engine looks for the run for ten seconds; whether it exists is found out in other ways.
  return error._tag === 'RunNotFoundError' || (error.retryable && !isSettingsFault(error));
}
