import { asyncScheduler, defer, map, type Observable, retry, switchMap, tap, timer } from 'rxjs';
import { type HatchetError, isHatchetError, WorkflowNotFoundError } from '../error/errors.ts';
import type { SharedContext } from './context.ts';

/** Pauses between looks at a run that is not readable yet: from the first to the last, doubling. Milliseconds. */
const FIRST_PAUSE_MS = 10;
const LAST_PAUSE_MS = 500;

/** A run that is 404 for this long raises the question whether its workflow exists at all. Milliseconds. */
const SUSPICIOUS_MS = 250;

/**
 * Repeats a look at a run while the run may just not be readable yet. To be called when the look begins, not before.
 *
 * [hatchet] A run is 404 for some milliseconds after its trigger (seconds under load), and for ever if no workflow has
 * that name. Runs that this client triggered have a grace window; of others nothing is known, so they get
 * `strangerGraceMs`.
 *
 * Emits and completes as `look`. Errors: `RunNotFoundError` after the window, `WorkflowNotFoundError` for a phantom id,
 * everything else as it comes.
 */
export function whenVisible<A>(
  context: SharedContext,
  operation: string,
  runId: string,
  look: Observable<A>,
  strangerGraceMs = 0,
): Observable<A> {
  // The usual case costs nothing: a run that has been there for long, or never was.
  if (strangerGraceMs === 0 && context.memory.freshWorkflowOf(runId) === undefined) return look;
  return defer(() => {
    let firstMissedAt: number | undefined;
    let looks = 0;
    return look.pipe(
      tap(() => context.memory.seen(runId)),
      retry({
        delay: (error: unknown) => {
          if (!isHatchetError(error) || error._tag !== 'RunNotFoundError') throw error;
          const now = asyncScheduler.now();
          firstMissedAt ??= now;
          looks += 1;
          const workflowName = context.memory.freshWorkflowOf(runId);
          const missingForMs = now - firstMissedAt;
          if (workflowName === undefined && missingForMs >= strangerGraceMs) throw error;
          const ms = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(looks - 1, 10));
          context.diagnose?.({ type: 'wait', operation, ms, reason: 'not-visible-yet' });
          if (workflowName === undefined || missingForMs < SUSPICIOUS_MS || context.knownWorkflows.has(workflowName)) {
            return timer(ms);
          }
          return timer(ms).pipe(switchMap(() => mustExist(context, operation, workflowName, error)));
        },
      }),
    );
  });
}

/** Emits if the workflow is registered, and errors if it is not. */
function mustExist(context: SharedContext, operation: string, name: string, cause: HatchetError): Observable<string> {
  return context.knownWorkflows.idOf(operation, name).pipe(
    map((id) => {
      if (id === undefined) throw workflowNotFound(operation, name, cause);
      return id;
    }),
  );
}

export function workflowNotFound(operation: string, workflowName: string, cause?: HatchetError): WorkflowNotFoundError {
  return new WorkflowNotFoundError(
    `${operation}: no workflow "${workflowName}" is registered on the server`,
    { workflowName },
    { operation, cause },
  );
}
