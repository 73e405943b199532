import type { Subscription } from 'rxjs';
import type { Ring } from './ring.ts';

/** What a run knows of one of its readers. */
export interface Attached {
  closed: boolean;
  broken: boolean;
  /** Has had everything once. */
  caughtUp: boolean;
  listener: (() => void) | undefined;
}

/** A run that a hub holds. */
export interface HubEntry {
  readonly runId: string;
  readonly ring: Ring;
  readonly readers: Set<Attached>;
  state: 'live' | 'ended' | 'failed';
  upstream: Subscription;
  /** Set while nobody reads, or after the end. */
  removal: Subscription | undefined;
  /** Its time is over, but for those who still read. */
  overdue: boolean;
  failure: { readonly error: unknown; readonly until: number } | undefined;
  /** Failures since the last event. */
  failures: number;
  /** The source's own resume point. */
  lastSourceId: string | undefined;
  /** The highest retry count that was seen of each task. */
  readonly retryCounts: Map<string, number>;
  /** The latest numbered chunk per attempt of a task, so that a new subscription repeats none. */
  readonly latestChunks: Map<string, { readonly index: number; readonly time: number }>;
}
