import { asyncScheduler, Observable, Subscription, take } from 'rxjs';

/** How `attempts` goes about it. */
export interface AttemptsConfig<A, B> {
  /** One attempt: an Observable of one answer, subscribed anew each time. */
  readonly attempt: () => Observable<A>;
  /** Makes the value of an answer; what it throws is a failure of the attempt. */
  readonly read: (answer: A) => B;
  /** What to wait for before the next attempt (an emission or the end). Throws the error to end with when there is none. */
  readonly pauseBefore: (error: unknown) => Observable<unknown>;
  /** Of all attempts and pauses together, in milliseconds. */
  readonly deadlineMs: number;
  readonly makeDeadlineError: () => unknown;
}

/**
 * Attempts a work until it succeeds.
 *
 * The same as `defer(attempt).pipe(map(read), retry({ delay: pauseBefore }), timeout({ first: deadlineMs }))`, by hand: every
 * request goes through here, and the subscribers that those operators chain up cost it as much as sending it does
 * (docs/performance.md).
 *
 * Emits: the value of the first answer that can be read. Completes: after it, or with an attempt that has no answer.
 * Errors: with what `pauseBefore` throws or ends with, and with `makeDeadlineError` when the time is up. Unsubscribing ends
 * the attempt or the pause under way and clears the timer.
 */
export function attempts<A, B>(config: AttemptsConfig<A, B>): Observable<B> {
  const { attempt, read, pauseBefore, deadlineMs, makeDeadlineError } = config;
  return new Observable<B>((subscriber) => {
    /** The attempt or the pause under way. */
    let turn = new Subscription();

    /** Each turn ends the one before; it is known before it begins, since it may end while it does. */
    const takeTurn = (begin: (mine: Subscription) => Subscription) => {
      turn.unsubscribe();
      const mine = new Subscription();
      turn = mine;
      try {
        mine.add(begin(mine));
      } catch (error) {
        subscriber.error(error);
      }
    };
    const start = () =>
      takeTurn((mine) =>
        attempt().subscribe({
          // A synchronous source cannot be unsubscribed yet when its answer fails: what it says after that is not heard.
          next: (answer) => {
            if (!mine.closed) succeed(answer);
          },
          error: fail,
          complete: () => {
            if (!mine.closed) subscriber.complete();
          },
        }),
      );
    const succeed = (answer: A) => {
      let value: B;
      try {
        value = read(answer);
      } catch (error) {
        fail(error);
        return;
      }
      subscriber.next(value);
      subscriber.complete();
    };
    const fail = (error: unknown) =>
      takeTurn(() =>
        pauseBefore(error)
          .pipe(take(1))
          .subscribe({ error: (last: unknown) => subscriber.error(last), complete: start }),
      );

    const deadline = asyncScheduler.schedule(() => subscriber.error(makeDeadlineError()), deadlineMs);
    start();
    return () => {
      deadline.unsubscribe();
      turn.unsubscribe();
    };
  });
}
