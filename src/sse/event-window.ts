/** How many ids are remembered: more than a gateway repeats after a resume. */
const CAPACITY = 1_024;

/** The ids of the latest events, to tell repeated ones. */
export interface EventWindow {
  /** Whether the id is new; remembers it. */
  isNew(id: string): boolean;
}

export function createEventWindow(): EventWindow {
  const ids = new Set<string>();
  return {
    isNew(id) {
      if (ids.has(id)) return false;
      ids.add(id);
      if (ids.size > CAPACITY) {
        const oldest = ids.values().next().value;
        if (oldest !== undefined) ids.delete(oldest);
      }
      return true;
    },
  };
}
