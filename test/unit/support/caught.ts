import { lastValueFrom, type Observable, toArray } from 'rxjs';
import type { HatchetError } from '../../../src/error/errors.ts';
import { isHatchetError } from '../../../src/error/errors.ts';

/** What a function throws; fails if it does not throw an error of the library. */
export function thrownBy(act: () => unknown): HatchetError {
  try {
    act();
  } catch (error) {
    if (isHatchetError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The error that a stream ends with; fails if it does not end with one of the library. */
export async function errorOf(source: Observable<unknown>): Promise<HatchetError> {
  try {
    await lastValueFrom(source.pipe(toArray()));
  } catch (error) {
    if (isHatchetError(error)) return error;
    throw error;
  }
  throw new Error('the stream did not error');
}

/** Everything that an error tells, to search for what must not be in it: message, stack, fields, causes. */
export function everythingIn(error: unknown, without: readonly string[] = [], depth = 0): string {
  if (typeof error !== 'object' || error === null || depth > 6) return String(error);
  return Object.getOwnPropertyNames(error)
    .filter((key) => !without.includes(key))
    .map((key) => `${key}: ${everythingIn((error as Record<string, unknown>)[key], without, depth + 1)}`)
    .join('\n');
}
