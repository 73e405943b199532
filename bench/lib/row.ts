/** One line of the table. */
export interface Row {
  /** What is measured. */
  readonly row: string;
  /** What it is held against. */
  readonly peer: string;
  /** The goal as text; absent where there is none. */
  readonly goal?: string;
  readonly figure: string;
  /** Absent where there is no goal, or where the row was skipped. */
  readonly met?: boolean;
  /** What the figure was made of, for `--json`. */
  readonly samples?: Readonly<Record<string, readonly number[]>>;
}

/** One benchmark: a file of `rows/`. Rejects when a check fails, so that nothing is measured that did not happen. */
export type Bench = () => Promise<readonly Row[]>;

/** Throws unless `holds`. */
export function check(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Error(`check failed: ${message}`);
}
