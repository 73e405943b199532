import type { Cursors } from './cursor.ts';
import { eventFrame } from './frames.ts';
import type { Attached, HubEntry } from './hub-entry.ts';

/**
 * How a reader stands: `ended` after the last event of all its runs; `behind` when it was too slow, so that events it has
 * not read are about to be dropped, or are; `broken` when the source failed; `closed` by its own or the hub's end.
 */
export type ReaderState = 'open' | 'ended' | 'behind' | 'broken' | 'closed';

/** One reader of one or more runs: a place in their rings. It holds no events itself. */
export interface HubReader {
  /** Whether all that follows the reader's resume point was held. False for a reader without one. */
  readonly resumed: boolean;
  /** The next frames, in order; about `maxBytes` at most, none if there are none now. */
  take(maxBytes: number): readonly Uint8Array[];
  state(): ReaderState;
  /** Calls `listener` whenever there may be something to take, or the state has changed. */
  listen(listener: () => void): void;
  close(): void;
}

/** How far a reader may fall back, once it has caught up, before it is cut off. */
export interface Patience {
  readonly behindEvents: number;
  readonly behindBytes: number;
}

/** What a reader is made with. */
export interface ReaderParts {
  readonly cursors: Cursors;
  readonly patience: Patience;
  /** Called when the last reader of a run has left. */
  readonly onUnread: (entry: HubEntry) => void;
  /** Whether the hub has closed. */
  readonly isClosed: () => boolean;
}

const HEAD_DROPPED = 'the gateway no longer holds the beginning';

/** Makes a reader of `held` runs, from `lastEventId` on, or from the first event that is held. */
export function createHubReader(
  { cursors, patience, onUnread, isClosed }: ReaderParts,
  held: readonly HubEntry[],
  lastEventId: string | undefined,
): HubReader {
  const after = lastEventId === undefined ? undefined : cursors.read(lastEventId);
  const resumed = after !== undefined && held.every(({ ring }) => ring.lostUpTo <= after);
  const places = held.map((entry) => ({
    entry,
    place: after === undefined ? entry.ring.start : entry.ring.placeAfter(after),
  }));
  // The client itself makes a gap of a resume point that is not held; who brings none must be told.
  const opening =
    lastEventId === undefined
      ? held.flatMap(({ runId, ring }) =>
          ring.start === 0 ? [] : [eventFrame(undefined, { type: 'gap', runId, reason: HEAD_DROPPED })],
        )
      : [];
  const reader: Attached = { closed: false, broken: false, caughtUp: false, listener: undefined };
  for (const entry of held) {
    entry.readers.add(reader);
    if (entry.state === 'failed') reader.broken = true;
    if (entry.state === 'live') entry.removal?.unsubscribe();
  }

  /** The place whose event is the oldest one not taken. */
  const nextPlace = () => {
    let found: { readonly from: (typeof places)[number]; readonly n: number; readonly frame: Uint8Array } | undefined;
    for (const from of places) {
      const item = from.entry.ring.at(from.place);
      if (item !== undefined && (found === undefined || item.n < found.n)) found = { from, ...item };
    }
    return found;
  };
  const isOvertaken = () => places.some(({ entry, place }) => place < entry.ring.start);
  const isFarBehind = () =>
    reader.caughtUp &&
    places.some(
      ({ entry: { ring }, place }) =>
        ring.end - place > patience.behindEvents || ring.bytesFrom(place) > patience.behindBytes,
    );
  const isDrained = () => opening.length === 0 && places.every(({ entry, place }) => place >= entry.ring.end);
  const close = (): void => {
    if (reader.closed) return;
    reader.closed = true;
    reader.listener = undefined;
    for (const entry of held) {
      entry.readers.delete(reader);
      if (entry.readers.size === 0 && !isClosed()) onUnread(entry);
    }
  };

  return {
    resumed,
    take(maxBytes) {
      if (reader.closed || isOvertaken()) return [];
      const frames: Uint8Array[] = opening.splice(0);
      let bytes = 0;
      while (bytes < maxBytes) {
        const next = nextPlace();
        if (next === undefined) {
          reader.caughtUp = true;
          break;
        }
        next.from.place += 1;
        bytes += next.frame.length;
        frames.push(next.frame);
      }
      return frames;
    },
    state() {
      if (reader.closed || isClosed()) return 'closed';
      if (isOvertaken() || isFarBehind()) return 'behind';
      if (!isDrained()) return 'open';
      if (reader.broken) return 'broken';
      return held.every(({ state }) => state === 'ended') ? 'ended' : 'open';
    },
    listen(listener) {
      reader.listener = listener;
    },
    close,
  };
}
