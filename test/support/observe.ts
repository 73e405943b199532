import { lastValueFrom, type Observable, toArray } from 'rxjs';
import { expect } from 'vitest';
import { type HatchetError, isHatchetError } from '../../src/index.ts';

/** Everything that an observable emits, once it has completed. */
export function all<A>(source: Observable<A>): Promise<A[]> {
  return lastValueFrom(source.pipe(toArray()));
}

/** The only value of an observable that must emit exactly one. */
export async function one<A>(source: Observable<A>): Promise<A> {
  const values = await all(source);
  expect(values, 'an operation that emits once').toHaveLength(1);
  return values[0] as A;
}

/** The error that an observable ends with; it must be one of the library's. */
export async function errorOf(source: Observable<unknown>): Promise<HatchetError> {
  let values: unknown[];
  try {
    values = await all(source);
  } catch (error) {
    if (!isHatchetError(error)) throw error;
    return error;
  }
  throw new Error(`no error, but ${JSON.stringify(values)?.slice(0, 500)}`);
}

/** The error of one kind that an observable ends with. */
export async function errorWithTag<T extends HatchetError['_tag']>(
  tag: T,
  source: Observable<unknown>,
): Promise<Extract<HatchetError, { _tag: T }>> {
  const error = await errorOf(source);
  // The message tells more than two tags do.
  if (error._tag !== tag) throw new Error(`expected a ${tag}, got ${error._tag}: ${error.message}`, { cause: error });
  return error as Extract<HatchetError, { _tag: T }>;
}

/** How an observable went: what came, and how it ended. */
export interface Course<A> {
  readonly values: A[];
  error: unknown;
  ended: 'no' | 'complete' | 'error';
  /** Kept when it has ended, either way. */
  readonly end: Promise<void>;
  readonly stop: () => void;
}

/** Subscribes and writes down what happens. */
export function watch<A>(source: Observable<A>): Course<A> {
  let settle = (): void => {};
  const end = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const course: Course<A> = { values: [], error: undefined, ended: 'no', end, stop: () => subscription.unsubscribe() };
  const subscription = source.subscribe({
    next: (value) => {
      course.values.push(value);
    },
    error: (error: unknown) => {
      course.error = error;
      course.ended = 'error';
      settle();
    },
    complete: () => {
      course.ended = 'complete';
      settle();
    },
  });
  return course;
}

/** A pause; short, and only to let something happen that must not. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Waits until a check holds; the test's own time limit ends the wait. */
export async function eventually<A>(check: () => A | Promise<A>, everyMs = 10): Promise<NonNullable<A>> {
  for (;;) {
    const found = await check();
    if (found !== undefined && found !== null && found !== false) return found;
    await pause(everyMs);
  }
}
