import * as t from 'io-ts';
import { isRecord } from './json.ts';

/**
 * Turns one wire value into the model's, or throws a `Mismatch`. Plain functions, because pages of thousands of rows
 * are read with them; the exception is paid for by bad documents only. `codecOf` makes an io-ts codec of one.
 */
export type Reader<A> = (value: unknown) => A;

/** What a reader throws: where the document differs from what was expected. */
export class Mismatch {
  readonly path: string[] = [];
  readonly expected: string;
  readonly got: unknown;

  constructor(expected: string, got: unknown) {
    this.expected = expected;
    this.got = got;
  }
}

/** A reader for an object: the named fields go through their readers, all others pass untouched. */
export function objectOf<A extends object>(fields: { readonly [K in keyof A]?: Reader<A[K]> }): Reader<A> {
  const entries: readonly (readonly [string, Reader<unknown>])[] = Object.entries(fields);
  return (value) => {
    if (!isRecord(value)) throw new Mismatch('an object', value);
    const result: Record<string, unknown> = { ...value };
    for (const [key, read] of entries) {
      try {
        const field = read(value[key]);
        if (field === undefined) delete result[key];
        else result[key] = field;
      } catch (error) {
        throw within(key, error);
      }
    }
    // Each field named in A was put there by its reader, or passed as the wire has it.
    return result as A;
  };
}

/** A reader for an array. [hatchet] Empty arrays often come as `null`. */
export function arrayOf<A>(read: Reader<A>): Reader<A[]> {
  return (value) => {
    if (value === null || value === undefined) return [];
    if (!Array.isArray(value)) throw new Mismatch('an array', value);
    return value.map((item: unknown, index) => {
      try {
        return read(item);
      } catch (error) {
        throw within(String(index), error);
      }
    });
  };
}

/** Like `arrayOf`, but leaves out the items that do not fit. */
export function goodOnesOf<A>(read: Reader<A>): Reader<A[]> {
  return (value) =>
    Array.isArray(value)
      ? value.flatMap((item: unknown) => {
          const result = attempt(read, item);
          return result instanceof Mismatch ? [] : [result];
        })
      : [];
}

/** Runs a reader and gives its `Mismatch` as a value. */
export function attempt<A>(read: Reader<A>, value: unknown): A | Mismatch {
  try {
    return read(value);
  } catch (error) {
    if (error instanceof Mismatch) return error;
    throw error;
  }
}

/** `undefined` and `null` become `undefined`; everything else goes through `read`. */
export function optional<A>(read: Reader<A>): Reader<A | undefined> {
  return (value) => (value === undefined || value === null ? undefined : read(value));
}

export const text: Reader<string> = (value) => {
  if (typeof value !== 'string') throw new Mismatch('a string', value);
  return value;
};

/** A string; an absent one reads as empty. */
export const textOrEmpty: Reader<string> = (value) => (typeof value === 'string' ? value : '');

/** A number; an absent one reads as 0. */
export const numberOrZero: Reader<number> = (value) => (typeof value === 'number' ? value : 0);

/** An object; an absent one reads as `{}`. [hatchet] `null`, "no output" and "payloads not asked for" look alike. */
export const objectOrEmpty: Reader<Record<string, unknown>> = (value) => (isRecord(value) ? { ...value } : {});

/** A point in time that must be there. */
export const date: Reader<Date> = (value) => {
  const result = optionalDate(value);
  if (result === undefined) throw new Mismatch('an RFC 3339 date', value);
  return result;
};

/** A point in time. [hatchet] `0001-01-01T00:00:00Z` means "not set"; so does an absent field. */
export const optionalDate: Reader<Date | undefined> = (value) => {
  if (typeof value !== 'string' || value.startsWith('0001-01-01')) return undefined;
  const result = new Date(value);
  return Number.isNaN(result.getTime()) ? undefined : result;
};

/** Wraps a reader as an io-ts codec. Encoding gives the wire's form: dates as ISO strings, absent for `undefined`. */
export function codecOf<A>(name: string, read: Reader<A>): t.Type<A, unknown, unknown> {
  return new t.Type<A, unknown, unknown>(
    name,
    (value): value is A => isRecord(value),
    (value, context) => {
      const result = attempt(read, value);
      if (!(result instanceof Mismatch)) return t.success(result);
      const expected = new t.Type<unknown>(result.expected, t.unknown.is, t.failure, t.identity);
      const where = result.path.map((key) => ({ key, type: expected, actual: result.got }));
      return t.failures([{ value: result.got, context: [...context, ...where], message: result.expected }]);
    },
    (value) => JSON.parse(JSON.stringify(value)) as unknown,
  );
}

function within(key: string, error: unknown): unknown {
  if (error instanceof Mismatch) error.path.unshift(key);
  return error;
}
