import type { Reader } from '../model/reader.ts';

/** One kind of request to Hatchet, as a value. */
export interface Endpoint<A> {
  /** The public operation on whose behalf it is sent, for errors and diagnostics. */
  readonly operation: string;
  readonly method: 'GET' | 'POST';
  /** The path from `/api/v1` on. */
  readonly path: (tenantId: string) => string;
  /** With the leading `?`, or empty. */
  readonly query?: string | undefined;
  readonly body?: object | undefined;
  /** Makes the model's value of the answer's JSON. */
  readonly read: Reader<A>;
  /** Whether sending it twice does no harm. */
  readonly repeatable: boolean;
  /** The run or task it is about; a 404 then means `RunNotFoundError`. */
  readonly runId?: string | undefined;
}

/** A query string of the given parameters: arrays repeat the name, `undefined` is left out. */
export function queryOf(
  parameters: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>,
): string {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) continue;
    // [hatchet] Lists are repeated parameters; joined by commas they switch the filter off without a sign.
    for (const one of typeof value === 'object' ? value : [String(value)]) {
      pairs.push(`${name}=${encodeURIComponent(one)}`);
    }
  }
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}
