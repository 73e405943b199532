import {
  catchError,
  concat,
  defer,
  EMPTY,
  finalize,
  ignoreElements,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  race,
  share,
  Subject,
  take,
  takeUntil,
  timer,
} from 'rxjs';
import { isHatchetError } from '../error/errors.ts';
import { keptOpen, type Signal, type SubscriptionContext } from './subscription.ts';

/**
 * The chunk that holds a call open: nothing that anybody could see, and dropped by every reader of this library.
 *
 * [hatchet] Undocumented, and so only used where it is found to work: the engine hands out a chunk of a finished run to who
 * subscribed to that run's metadata, and takes the run for an active one from then on. Thereby the chunk is, coming back,
 * the acknowledgement that subscriptions lack; and the engine, which ends a call when no run of it is active, does so no
 * more. Without it, the end of a run overtakes its last chunks.
 */
export const PIN_TEXT = '\u2063\u2063';

/** A finished run, and the pair of metadata it carries. */
export interface Pin {
  readonly key: string;
  readonly tag: string;
  readonly runId: string;
  readonly taskRunId: string;
}

/** How long the chunk may take to come back, in milliseconds ([hatchet] 20 to 40 on an idle server). */
const ECHO_MS = 500;

/** So many chunks are put before the engine counts as one that does not give them back. */
const TRIES = 3;

/**
 * A call that the engine does not end, shared by all runs with the pin's tag. Open while anybody listens.
 *
 * Emits: as `keptOpen`; `open` is `pinned` if the chunk came back, and each listener gets one when it begins.
 *
 * @param onUnpinned - told when the engine does not do what is hoped for
 */
export function pinnedCall(
  context: SubscriptionContext,
  operation: string,
  pin: Pin,
  onUnpinned: () => void,
): Observable<Signal> {
  const { engine } = context;
  let state: Extract<Signal, { readonly type: 'open' }> | undefined;

  const call = defer(() => {
    const echoes = new Subject<void>();
    const ends = new Subject<void>();
    state = undefined;

    const putUntilEcho = (): Observable<Signal> => {
      const echo = echoes.pipe(
        take(1),
        map(() => 'pinned' as const),
      );
      const puts = concat(
        ...Array.from({ length: TRIES }, () =>
          merge(engine.putChunk(operation, pin.taskRunId, PIN_TEXT), timer(ECHO_MS)).pipe(ignoreElements()),
        ),
        of('silent' as const),
      ).pipe(
        // A connection that is bad right now says nothing about the engine.
        catchError((error: unknown) =>
          of(isHatchetError(error) && error.retryable ? ('unsure' as const) : ('refused' as const)),
        ),
      );
      return race(echo, puts).pipe(
        take(1),
        map((outcome) => {
          const pinned = outcome === 'pinned';
          if (outcome === 'silent' || outcome === 'refused') onUnpinned();
          state = { type: 'open', pinned };
          return state;
        }),
        takeUntil(ends),
      );
    };

    return keptOpen(context, operation, { key: pin.key, value: pin.tag }).pipe(
      mergeMap((signal): Observable<Signal> => {
        switch (signal.type) {
          case 'open':
            return putUntilEcho();
          case 'event':
            if (signal.event.eventPayload === PIN_TEXT) {
              echoes.next();
              return EMPTY;
            }
            return of(signal);
          case 'ended':
            // A pinned call that is ended without an error is not held open by the pin.
            if (state?.pinned === true && signal.error === undefined) onUnpinned();
            state = undefined;
            ends.next();
            return of(signal);
        }
      }),
    );
  }).pipe(
    finalize(() => {
      state = undefined;
    }),
    share(),
  );

  return defer(() => {
    const present = state;
    if (present === undefined) return call;
    // The call may be dead without anybody having noticed: an answer over the same connection says that it is not.
    const fence = engine.fence(operation).pipe(
      ignoreElements(),
      catchError(() => EMPTY),
    );
    const joined = concat(
      fence,
      defer(() => (state === present ? of<Signal>(present) : EMPTY)),
    );
    return merge(call, joined);
  });
}
