import { asyncScheduler, type Observable, Subscription } from 'rxjs';
import type { ChunkEvent, RunEvent } from '../model/event.ts';
import { createCursors } from './cursor.ts';
import { eventFrame } from './frames.ts';
import type { HubEntry } from './hub-entry.ts';
import { createHubReader, type HubReader, type Patience, type ReaderParts } from './hub-reader.ts';
import { createRing } from './ring.ts';

/** How much a hub remembers, and for how long. */
export interface HubBuffer extends Patience {
  /** Events per run. */
  readonly events: number;
  /** Bytes per run. */
  readonly bytes: number;
  /** How long a run that has ended stays. Milliseconds; `Infinity` needs no timer. */
  readonly keepAfterEndMs: number;
  /** How long a run that nobody reads stays, with its subscription. Milliseconds; `Infinity` needs no timer. */
  readonly idleMs: number;
  /** Runs at once. */
  readonly runs: number;
}

/** What a hub is made of. */
export interface HubOptions {
  /** The events of one run, from a resume point of the source's own where it has any. Subscribed to once per run. */
  readonly source: (runId: string, lastEventId: string | undefined) => Observable<RunEvent>;
  readonly buffer: HubBuffer;
  /** Told when a source fails. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/** Why runs cannot be read now. */
export interface HubRefusal {
  /** What the source said; `undefined` when the hub is full or closed. */
  readonly error: unknown;
  /** When it may work again. Milliseconds. */
  readonly retryAfterMs: number;
}

/** What a hub is doing. */
export interface HubStats {
  /** Runs that are held. */
  readonly runs: number;
  /** Of these, the ones that have ended. */
  readonly endedRuns: number;
  /** Subscriptions to the source. */
  readonly upstreams: number;
  readonly readers: number;
  /** Events held. */
  readonly events: number;
  /** Bytes held. */
  readonly bytes: number;
}

/**
 * Run events for many readers: one subscription per run for all of them, and a bounded memory of each run, so that readers
 * may come late and come back.
 */
export interface Hub {
  /** Whether the run is held, and how it stands. */
  knows(runId: string): 'live' | 'ended' | undefined;
  /** The highest retry count that was seen of each task of a run. */
  retryCountsOf(runId: string): ReadonlyMap<string, number>;
  /**
   * Reads runs from `lastEventId` on, or from the first event that is held. Events of several runs come in the order of
   * their arrival.
   */
  open(runIds: readonly string[], lastEventId: string | undefined): HubReader | HubRefusal;
  /**
   * Takes on a run that does not exist yet.
   *
   * @param eventsOf - makes the subscription; it calls `known` with the run's id before its first event
   * @returns gives the run up if its id is not known yet
   */
  adopt(eventsOf: (known: (runId: string) => void) => Observable<RunEvent>): () => void;
  /** Forgets runs that have ended: they may have been revived. */
  forgetEnded(runIds?: readonly string[]): void;
  stats(): HubStats;
  /** Ends every reader and every subscription. */
  close(): void;
}

/** What a new subscription must wait after a failed one: doubling from the first to the last. Milliseconds. */
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 30_000;

/** When a full hub may have room again. Milliseconds. */
const FULL_PAUSE_MS = 5_000;

const SOURCE_BROKE = 'the gateway lost its own source for a while: chunks may be missing here';

export function createHub({ source, buffer, onFailure }: HubOptions): Hub {
  const cursors = createCursors();
  const entries = new Map<string, HubEntry>();
  /** Adopted subscriptions whose run is not known yet. */
  const unborn = new Set<Subscription>();
  let latest = 0;
  let closed = false;

  const append = (entry: HubEntry, event: RunEvent): void => {
    latest += 1;
    entry.ring.append(latest, eventFrame(cursors.write(latest), event));
    for (const reader of entry.readers) reader.listener?.();
  };

  const receive = (entry: HubEntry, event: RunEvent): void => {
    if (entry.state !== 'live') return;
    entry.failures = 0;
    entry.lastSourceId = event.id ?? entry.lastSourceId;
    if (event.type === 'chunk' && isRepeated(entry, event)) return;
    if (event.type === 'task' || event.type === 'chunk') {
      const { taskRunId, retryCount } = event;
      entry.retryCounts.set(taskRunId, Math.max(retryCount, entry.retryCounts.get(taskRunId) ?? 0));
    }
    if (event.type === 'finished') entry.state = 'ended';
    append(entry, event);
    if (event.type === 'finished') {
      entry.upstream.unsubscribe();
      removeAfter(entry, buffer.keepAfterEndMs);
    }
  };

  const fail = (entry: HubEntry, error: unknown): void => {
    if (entry.state !== 'live') return;
    onFailure?.(error);
    entry.state = 'failed';
    entry.upstream.unsubscribe();
    const pauseMs = Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(entry.failures, 10));
    entry.failures += 1;
    entry.failure = { error, until: asyncScheduler.now() + pauseMs };
    const readers = [...entry.readers];
    entry.readers.clear();
    removeAfter(entry, buffer.idleMs);
    for (const reader of readers) {
      reader.broken = true;
      reader.listener?.();
    }
  };

  const subscribe = (entry: HubEntry, upstream: Subscription, events: Observable<RunEvent>): void => {
    entry.upstream = upstream;
    upstream.add(
      events.subscribe({
        next: (event) => receive(entry, event),
        error: (error: unknown) => fail(entry, error),
        complete: () => fail(entry, new Error('the source ended without the end of the run')),
      }),
    );
  };

  const removeAfter = (entry: HubEntry, ms: number): void => {
    entry.removal?.unsubscribe();
    entry.overdue = false;
    if (ms === Number.POSITIVE_INFINITY) return;
    entry.removal = asyncScheduler.schedule(() => {
      entry.overdue = true;
      if (entry.readers.size === 0) remove(entry);
    }, ms);
  };

  const remove = (entry: HubEntry): void => {
    entry.removal?.unsubscribe();
    entry.upstream.unsubscribe();
    if (entries.get(entry.runId) === entry) entries.delete(entry.runId);
  };

  /** Makes room for one more run, if that can be done without hurting a reader, present or `coming`. */
  const makeRoom = (coming: readonly HubEntry[] = []): boolean => {
    if (entries.size < buffer.runs) return true;
    const unread = [...entries.values()].filter((entry) => entry.readers.size === 0 && !coming.includes(entry));
    const victim = unread.find(({ state }) => state !== 'live') ?? unread[0];
    if (victim !== undefined) remove(victim);
    return entries.size < buffer.runs;
  };

  const create = (runId: string, upstream = new Subscription()): HubEntry => {
    // A number of its own: whatever happened to the run before, nobody listened, and earlier resume points are not held.
    latest += 1;
    const entry: HubEntry = {
      runId,
      ring: createRing(buffer, latest),
      readers: new Set(),
      state: 'live',
      upstream,
      removal: undefined,
      overdue: false,
      failure: undefined,
      failures: 0,
      lastSourceId: undefined,
      retryCounts: new Map(),
      latestChunks: new Map(),
    };
    entries.set(runId, entry);
    return entry;
  };

  const revive = (entry: HubEntry): void => {
    entry.state = 'live';
    entry.failure = undefined;
    // A source with resume points tells by itself what it could not make up for.
    if (entry.lastSourceId === undefined) {
      append(entry, { type: 'gap', runId: entry.runId, reason: SOURCE_BROKE });
    }
    subscribe(entry, new Subscription(), source(entry.runId, entry.lastSourceId));
  };

  const refusalOf = (runIds: readonly string[]): HubRefusal | undefined => {
    if (closed) return { error: undefined, retryAfterMs: 0 };
    const now = asyncScheduler.now();
    for (const runId of runIds) {
      const failure = entries.get(runId)?.failure;
      if (failure !== undefined && now < failure.until) {
        return { error: failure.error, retryAfterMs: failure.until - now };
      }
    }
    return undefined;
  };

  /** Makes sure that each run is held and subscribed to. */
  const ensure = (runIds: readonly string[]): readonly HubEntry[] | undefined => {
    const held: HubEntry[] = [];
    for (const runId of runIds) {
      let entry = entries.get(runId);
      if (entry === undefined) {
        if (!makeRoom(held)) return undefined;
        entry = create(runId);
        removeAfter(entry, buffer.idleMs);
        subscribe(entry, entry.upstream, source(runId, undefined));
      } else if (entry.state === 'failed') revive(entry);
      held.push(entry);
    }
    return held;
  };

  const readerParts: ReaderParts = {
    cursors,
    patience: buffer,
    isClosed: () => closed,
    onUnread(entry) {
      if (entry.state === 'live') removeAfter(entry, buffer.idleMs);
      else if (entry.overdue) remove(entry);
    },
  };

  return {
    knows(runId) {
      const state = entries.get(runId)?.state;
      return state === 'failed' ? 'live' : state;
    },
    retryCountsOf: (runId) => entries.get(runId)?.retryCounts ?? new Map(),
    open(runIds, lastEventId) {
      const refusal = refusalOf(runIds);
      if (refusal !== undefined) return refusal;
      const held = ensure(runIds);
      if (held === undefined) return { error: undefined, retryAfterMs: FULL_PAUSE_MS };
      // A source may fail at once.
      return refusalOf(runIds) ?? createHubReader(readerParts, held, lastEventId);
    },
    adopt(eventsOf) {
      const upstream = new Subscription();
      if (closed) return () => {};
      unborn.add(upstream);
      let entry: HubEntry | undefined;
      const known = (runId: string): void => {
        unborn.delete(upstream);
        if (closed || upstream.closed || entries.has(runId) || !makeRoom()) {
          upstream.unsubscribe();
          return;
        }
        entry = create(runId, upstream);
        removeAfter(entry, buffer.idleMs);
      };
      upstream.add(
        eventsOf(known).subscribe({
          next: (event) => entry !== undefined && receive(entry, event),
          error: (error: unknown) => entry !== undefined && fail(entry, error),
          complete: () => entry !== undefined && fail(entry, new Error('the source ended without the end of the run')),
        }),
      );
      return () => {
        if (entry === undefined) upstream.unsubscribe();
        unborn.delete(upstream);
      };
    },
    forgetEnded(runIds) {
      const chosen = runIds === undefined ? [...entries.values()] : runIds.flatMap((runId) => entries.get(runId) ?? []);
      for (const entry of chosen) if (entry.state === 'ended') remove(entry);
    },
    stats() {
      const all = [...entries.values()];
      return {
        runs: all.length,
        endedRuns: all.filter(({ state }) => state === 'ended').length,
        upstreams: all.filter(({ state }) => state === 'live').length,
        readers: new Set(all.flatMap(({ readers }) => [...readers])).size,
        events: all.reduce((sum, { ring }) => sum + ring.end - ring.start, 0),
        bytes: all.reduce((sum, { ring }) => sum + ring.bytes, 0),
      };
    },
    close() {
      if (closed) return;
      closed = true;
      const all = [...entries.values()];
      entries.clear();
      for (const upstream of unborn) upstream.unsubscribe();
      unborn.clear();
      for (const entry of all) {
        entry.removal?.unsubscribe();
        entry.upstream.unsubscribe();
      }
      for (const { readers } of all) for (const reader of readers) reader.listener?.();
    },
  };
}

/** Whether a chunk came before, on an earlier subscription; notes it if not. */
function isRepeated({ latestChunks }: HubEntry, { taskRunId, retryCount, index, time }: ChunkEvent): boolean {
  if (index === undefined) return false;
  const key = `${taskRunId} ${retryCount}`;
  const latest = latestChunks.get(key);
  // A number that comes again with a later time is another attempt's, whatever its retry count says.
  if (latest !== undefined && index <= latest.index && time.getTime() <= latest.time) return true;
  latestChunks.set(key, { index, time: time.getTime() });
  return false;
}
