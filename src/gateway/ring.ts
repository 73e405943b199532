/** One event that a ring holds. */
export interface RingItem {
  /** Its number in the hub. */
  readonly n: number;
  readonly frame: Uint8Array;
  /** All bytes that went into the ring up to its end. */
  readonly endsAt: number;
}

/** How much a ring holds. */
export interface RingLimits {
  readonly events: number;
  readonly bytes: number;
}

/**
 * The latest events of one run. Places count from 0 and never change their meaning, so a reader is a place in the ring: it
 * costs nothing, however many there are.
 */
export interface Ring {
  /** The place of the oldest event that is held. */
  readonly start: number;
  /** The place of the event that comes next. */
  readonly end: number;
  /** Bytes held. */
  readonly bytes: number;
  /** The number of the latest event that is not held: dropped, or from before the ring began. */
  readonly lostUpTo: number;
  append(n: number, frame: Uint8Array): void;
  at(place: number): RingItem | undefined;
  /** The place of the first held event with a number above `n`. */
  placeAfter(n: number): number;
  /** How many bytes have not been read at `place`. */
  bytesFrom(place: number): number;
}

/** @param beginsAt - the number of the hub's latest event */
export function createRing(limits: RingLimits, beginsAt: number): Ring {
  const items: RingItem[] = [];
  /** Items before this index are dropped. */
  let head = 0;
  /** The place of `items[0]`. */
  let base = 0;
  let appended = 0;
  let bytes = 0;
  let lostUpTo = beginsAt;

  const dropOldest = (): void => {
    const oldest = items[head];
    if (oldest === undefined) return;
    head += 1;
    bytes -= oldest.frame.length;
    lostUpTo = oldest.n;
    // Now and then, not each time: shifting an array costs its length.
    if (head > 256 && head > items.length / 2) {
      items.splice(0, head);
      base += head;
      head = 0;
    }
  };

  return {
    get start() {
      return base + head;
    },
    get end() {
      return base + items.length;
    },
    get bytes() {
      return bytes;
    },
    get lostUpTo() {
      return lostUpTo;
    },
    append(n, frame) {
      appended += frame.length;
      bytes += frame.length;
      items.push({ n, frame, endsAt: appended });
      // The newest event is held whatever its size.
      while (items.length - head > 1 && (items.length - head > limits.events || bytes > limits.bytes)) dropOldest();
    },
    at: (place) => (place < base + head ? undefined : items[place - base]),
    placeAfter(n) {
      let low = head;
      let high = items.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        const item = items[middle];
        if (item !== undefined && item.n <= n) low = middle + 1;
        else high = middle;
      }
      return base + low;
    },
    bytesFrom(place) {
      const item = items[Math.max(place - base, head)];
      return item === undefined ? 0 : appended - item.endsAt + item.frame.length;
    },
  };
}
