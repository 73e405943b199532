/** Any JSON value. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** A JSON object: what Hatchet takes as input and gives as output. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}

/** Whether `value` is an object with string keys, and neither `null` nor an array. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
