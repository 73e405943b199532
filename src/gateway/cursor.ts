/** Resume points of one hub: opaque to clients, void for every other hub. */
export interface Cursors {
  /** The resume point after event number `n`. */
  write(n: number): string;
  /** The number that a resume point of this hub stands for; `undefined` for anything else. */
  read(cursor: string): number | undefined;
}

/** @param epoch - tells this hub's resume points from those of others, of which nothing is known here */
export function createCursors(epoch: string = crypto.randomUUID().slice(0, 8)): Cursors {
  const prefix = `${epoch}-`;
  return {
    write: (n) => prefix + n.toString(36),
    read(cursor) {
      const digits = cursor.startsWith(prefix) ? cursor.slice(prefix.length) : '';
      return /^[0-9a-z]{1,11}$/.test(digits) ? Number.parseInt(digits, 36) : undefined;
    },
  };
}
