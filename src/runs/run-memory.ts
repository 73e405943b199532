import { asyncScheduler } from 'rxjs';

/**
 * How long after its trigger a run that is 404 may still appear. [hatchet] 33 ms at most on an idle server, 10 to 19 s
 * under a bulk load. Milliseconds.
 */
const GRACE_MS = 30_000;

/** How long after one look has found a run another may still miss it. [hatchet] Details may come before the rest. */
const SEEN_GRACE_MS = 2_000;

/** How many runs are remembered at most; the oldest are forgotten first. */
const CAPACITY = 20_000;

/** What one client remembers of its own latest actions on runs, bounded in number and time. */
export interface RunMemory {
  /** The run was triggered now, as a run of this workflow. */
  triggered(runId: string, workflowName: string): void;
  /** A look found the run: before long, all others will. */
  seen(runId: string): void;
  /** The workflow of a run that was triggered moments ago and may not be readable yet. */
  freshWorkflowOf(runId: string): string | undefined;
  /** The run was replayed: what shows fewer attempts than this (of all its tasks together) is from before. */
  replayed(runId: string, attempts: number): void;
  /** Attempts that a look must show to be of after the latest replay. */
  attemptsAtLeast(runId: string): number;
}

export function createRunMemory(): RunMemory {
  const fresh = new Map<string, { at: number; readonly workflowName: string }>();
  const replays = new Map<string, { readonly at: number; readonly attempts: number }>();

  const recent = <A extends { readonly at: number }>(entries: Map<string, A>, runId: string): A | undefined => {
    const entry = entries.get(runId);
    if (entry === undefined || asyncScheduler.now() - entry.at < GRACE_MS) return entry;
    entries.delete(runId);
    return undefined;
  };

  return {
    triggered: (runId, workflowName) => remember(fresh, runId, { at: asyncScheduler.now(), workflowName }),
    seen(runId) {
      const entry = fresh.get(runId);
      if (entry !== undefined) entry.at = Math.min(entry.at, asyncScheduler.now() - GRACE_MS + SEEN_GRACE_MS);
    },
    freshWorkflowOf: (runId) => recent(fresh, runId)?.workflowName,
    replayed: (runId, attempts) => remember(replays, runId, { at: asyncScheduler.now(), attempts }),
    attemptsAtLeast: (runId) => recent(replays, runId)?.attempts ?? 0,
  };
}

function remember<A>(entries: Map<string, A>, runId: string, entry: A): void {
  entries.delete(runId);
  entries.set(runId, entry);
  const oldest = entries.keys().next().value;
  if (entries.size > CAPACITY && oldest !== undefined) entries.delete(oldest);
}
