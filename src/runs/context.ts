import type { Observable } from 'rxjs';
import type { Diagnose } from '../diagnostics.ts';
import type { EventConnection } from '../events/source.ts';
import type { Exchange } from '../http/exchange.ts';
import type { ReplayLane } from './replay-lane.ts';
import type { KnownWorkflows } from './known-workflows.ts';
import type { RunMemory } from './run-memory.ts';

/** What everything that one client does shares. */
export interface SharedContext {
  readonly exchange: Exchange;
  readonly namespace: string;
  readonly pollIntervalMs: number;
  readonly waitTimeoutMs: number | undefined;
  readonly diagnose: Diagnose;
  /** What this client did to runs moments ago, which the server's reads may not show yet. */
  readonly memory: RunMemory;
  readonly knownWorkflows: KnownWorkflows;
  /** Ends an operation with a `ConfigError` when the client is closed, so that no timer and no request outlives it. */
  readonly guard: <A>(operation: Observable<A>) => Observable<A>;
}

/** What the operations of one client are made of. */
export interface RunsContext extends SharedContext {
  readonly replayLane: ReplayLane;
  readonly events: EventConnection;
}
