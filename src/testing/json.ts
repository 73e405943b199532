/** A value as JSON knows it. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;

/** An object as JSON knows it; `undefined` members are left out when it is written. */
export interface JsonObject {
  [key: string]: JsonValue | undefined;
}

/** Whether `value` is a plain object, that is neither null nor an array. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Takes what a user's function gave through JSON, so that reads cannot change what is stored. */
export const toJson = (value: unknown): JsonValue => {
  const text = JSON.stringify(value);
  if (text === undefined) return null;
  const parsed: JsonValue = JSON.parse(text);
  return parsed;
};

/** [hatchet] JSON as PostgreSQL writes it: shorter keys first, then by their bytes, and a blank after each sign. */
export const toJsonbText = (value: JsonValue | undefined): string => {
  if (Array.isArray(value)) return `[${value.map(toJsonbText).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null);
  const keys = Object.keys(value).toSorted((a, b) => a.length - b.length || (a < b ? -1 : 1));
  return `{${keys.map((key) => `${JSON.stringify(key)}: ${toJsonbText(value[key])}`).join(', ')}}`;
};

/** `value` as an object; everything else (null, a list, a scalar) becomes an empty one. */
export const toJsonObject = (value: unknown): JsonObject => {
  const json = toJson(value);
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? json : {};
};
