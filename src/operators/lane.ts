import { Observable, type Subscription } from 'rxjs';

/** Runs works one at a time, in the order of their subscriptions. */
export type Lane = <A>(work: Observable<A>) => Observable<A>;

/**
 * Makes a lane. A work in the lane is subscribed when all earlier ones have ended; unsubscribing one that still waits
 * takes it out of the queue.
 */
export function createLane(): Lane {
  const waiting: (() => void)[] = [];
  let busy = false;

  const startNext = () => {
    const start = waiting.shift();
    busy = start !== undefined;
    start?.();
  };

  return <A>(work: Observable<A>) =>
    new Observable<A>((subscriber) => {
      let running: Subscription | undefined;
      const start = () => {
        running = work.subscribe(subscriber);
        // Runs at its end, its error and its unsubscription alike.
        running.add(startNext);
      };
      if (busy) waiting.push(start);
      else {
        busy = true;
        start();
      }
      return () => {
        const place = waiting.indexOf(start);
        if (place >= 0) waiting.splice(place, 1);
        running?.unsubscribe();
      };
    });
}
