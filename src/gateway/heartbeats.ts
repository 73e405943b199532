import { interval, type Observable, type Subscription } from 'rxjs';

/** One clock for the heartbeats of all connections; it runs while there are any. */
export interface Heartbeats {
  readonly heartbeatMs: number;
  /** Calls `beat` `LOOKS_PER_HEARTBEAT` times per heartbeat; the function it returns ends that. */
  add(beat: () => void): () => void;
}

/** How often a connection is looked after. One that was silent from look to look is written to: 2/3 of a heartbeat at most. */
export const LOOKS_PER_HEARTBEAT = 3;

/** @param ticks - emits every so many milliseconds */
export function createHeartbeats(
  heartbeatMs: number,
  ticks: (periodMs: number) => Observable<unknown> = interval,
): Heartbeats {
  const beats = new Set<() => void>();
  let timer: Subscription | undefined;
  return {
    heartbeatMs,
    add(beat) {
      beats.add(beat);
      timer ??= ticks(heartbeatMs / LOOKS_PER_HEARTBEAT).subscribe(() => {
        for (const one of beats) one();
      });
      return () => {
        beats.delete(beat);
        if (beats.size > 0) return;
        timer?.unsubscribe();
        timer = undefined;
      };
    },
  };
}
